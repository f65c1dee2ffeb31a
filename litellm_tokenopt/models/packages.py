"""Which optional packages are there, and how to get them."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import ModelUnavailable

SERVING = ("onnxruntime", "tokenizers")
EXPORTING = ("filelock", "onnx", "sentence_transformers", "torch", "transformers")
INSTALL = "pip install 'litellm-tokenopt[local]'"


def missing(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the packages *names* that are not installed. Imports nothing."""
    return tuple(name for name in names if find_spec(name) is None)


def require(names: tuple[str, ...], purpose: str) -> None:
    """Raises `ModelUnavailable`, with the line that installs them, when one of the packages *names* is missing."""
    if lacking := missing(names):
        raise ModelUnavailable(f"{purpose} needs {', '.join(lacking)}: {INSTALL}")
