"""Exports a model for ONNX Runtime, in a process of its own: ``python -m litellm_tokenopt.models.export``.

The serving process never imports torch; it starts this one, once per machine and model.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ModelUnavailable
from . import minilm
from .files import EXPORT_FILE, EXPORT_FORMAT, PAIR_WEIGHTS, WEIGHTS, ModelFiles, is_exported, sha256_of

GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
PAIR_GRAPH = "pairs.onnx"
WORD_GRAPH = "words.onnx"
TIMEOUT_SECONDS = 900
LEAST_AGREEMENT = 0.97
CHECK_TEXTS = (
    "How do I reset my password?",
    "The invoice from March shows 900 dollars instead of 90.",
    "def mean(values): return sum(values) / len(values)",
    "Never share the customer's data with third parties, unless they asked for it in writing.",
    "¿Dónde está la biblioteca? 图书馆在哪里",
    "ERROR worker-7: connection reset by peer (attempt 3 of 5)",
)


def export(files: ModelFiles, target: Path) -> None:
    """Run the export into *target* in a subprocess; raises `ModelUnavailable` with the reason when it fails."""
    command = [sys.executable, "-P", "-m", __name__, str(files.folder), str(target), files.weights_sha256]
    try:
        done = subprocess.run(
            command, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise ModelUnavailable(f"the export of {files.name} did not run: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelUnavailable(f"the export of {files.name} failed: {last}")


def main(arguments: Sequence[str]) -> int:
    """The exporting process. Waits for another one that exports the same model."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.models.export")
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("weights_sha256")
    options = parser.parse_args(arguments)
    try:
        export_locked(options.folder, options.target, options.weights_sha256)
    except (ImportError, ModelUnavailable, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def export_locked(folder: Path, target: Path, weights_sha256: str) -> None:
    """Make *target* unless it's there: whole, by renaming, by one process at a time."""
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if is_exported(target):
            return
        _remove_leftovers(target)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as workplace:
            export_here(folder, Path(workplace, "model"), weights_sha256)
            Path(workplace, "model").rename(target)


def export_here(folder: Path, place: Path, weights_sha256: str) -> None:
    """Write graph, tokenizer and facts of the model in *folder* into the new folder *place*, and check them."""
    if sha256_of(folder / WEIGHTS) != weights_sha256:
        raise ModelUnavailable(f"{folder / WEIGHTS} is not the expected file (SHA-256 {weights_sha256})")
    from .quantise import write_graph, write_states_graph

    model = _load(folder)
    expected = model.encode(list(CHECK_TEXTS), normalize_embeddings=True)
    place.mkdir()
    model.tokenizer.backend_tokenizer.save(str(place / TOKENIZER))
    write_graph(model, place / GRAPH)
    facts = {
        "format": EXPORT_FORMAT,
        "dimensions": int(expected.shape[1]),
        "max_tokens": int(model.max_seq_length),
        "weights_sha256": weights_sha256,
    }
    (place / EXPORT_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    _check(place, expected)
    if weights_sha256 == minilm.WEIGHTS_SHA256:
        _export_pairs(folder, place / PAIR_GRAPH)
        write_states_graph(_load(folder), place / WORD_GRAPH)


def _export_pairs(folder: Path, path: Path) -> None:
    """Write the pair model, which is trained for the packaged model alone."""
    from .pair_module import load_pair_module
    from .quantise import write_pair_graph

    model = _load(folder)
    write_pair_graph(load_pair_module(model[0].auto_model, PAIR_WEIGHTS), model.tokenizer, path)


def _load(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    eager = {"attn_implementation": "eager"}
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, model_kwargs=eager)
    if model.default_prompt_name:
        raise ModelUnavailable(f"{folder} puts a prompt before each text; use embedder.backend: sentence-transformers")
    return model.eval()


def _check(place: Path, expected: Any) -> None:
    """Serve the export as it will be served, and compare."""
    from .onnx import load_graph

    graph = load_graph(place)
    served = [graph.vectors([tokens])[0] for tokens in graph.read(CHECK_TEXTS)]
    agreement = min(float(row @ wanted) for row, wanted in zip(served, expected, strict=True))
    if not agreement >= LEAST_AGREEMENT:
        raise ModelUnavailable(
            f"the 8-bit export agrees too little with the model (cosine {agreement:.3f}, at least {LEAST_AGREEMENT}); "
            "use embedder.backend: sentence-transformers"
        )


def _remove_leftovers(target: Path) -> None:
    """Folders of exports that were killed; the lock says that none is at work."""
    for leftover in (target, *target.parent.glob(f".{target.name}-*")):
        shutil.rmtree(leftover, ignore_errors=True)


def _environment() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
