"""The package is a stack: each module imports only from below, foreign packages only where they belong."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "litellm_tokenopt"
LAYERS = [
    {"addresses", "asking", "background", "errors", "memo", "saying"},
    {"modules", "taxonomy"},
    {"settings", "request"},
    {"additions", "caller", "items", "own"},
    {"stage", "tokens", "lexical", "convert", "placeholder", "recall", "replies", "rounds"},
    {"models", "redis", "savings"},
    {"cache", "tools", "prompt", "context"},
    {"pipeline"},
    {"telemetry", "sessions"},
    {"composition"},
    {"optimizer"},
    {"adapters"},
    {"evaluation"},
    {"cli"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
HOMES = {
    "litellm": {"adapters", "evaluation"},
    "redisvl": {"cache", "evaluation"},
    "opentelemetry": {"telemetry", "evaluation"},
    "redis": {"redis", "cache"},
    "cryptography": {"cache"},
    "torch": {"models"},
    "onnxruntime": {"models"},
}
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """The dotted names that a module imports at run time; its own package's are given from the package's root."""
    here = ("litellm_tokenopt", *path.relative_to(PACKAGE).with_suffix("").parts)
    tree = ast.parse(path.read_text())
    hidden = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else ()
            name = (*base, *(node.module or "").split(".")) if node.module else base
            yield from [name] if node.module else [(*name, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    """A module imports modules of its own part or of a lower layer."""
    part = path.relative_to(PACKAGE).with_suffix("").parts[0]
    below = [
        name[1]
        for name in imports(path)
        if name[0] == "litellm_tokenopt" and len(name) > 1 and name[1] != part and name[1] in RANK
    ]
    assert [name for name in below if RANK[name] >= RANK[part]] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_foreign_packages_stay_in_their_room(path):
    """LiteLLM only in adapters, RedisVL only in the cache's store, OpenTelemetry only in telemetry."""
    part = path.relative_to(PACKAGE).with_suffix("").parts[0]
    strangers = {name[0] for name in imports(path) if name[0] in HOMES and part not in HOMES[name[0]]}
    assert strangers == set()


def test_every_part_has_a_layer():
    """A new module must say where it belongs."""
    parts = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES}
    assert parts - {"__main__"} <= set(RANK)


IMPORTS = """
import importlib.abc, json, sys, threading
import litellm

class Noting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            seen.append(name)

sys.meta_path.insert(0, Noting())
seen = []
import litellm_tokenopt
imported, seen = seen, []
litellm_tokenopt.enable({"redis": {"url": "memory"}})
litellm_tokenopt.disable()
print(json.dumps([imported, seen]))
"""


def test_the_import_is_light():
    """Beyond LiteLLM's own, importing takes one module; enabling loads models in the background, and waits for none."""
    run = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    imported, enabled = json.loads(run.stdout.splitlines()[-1])
    assert imported == ["litellm_tokenopt"]
    assert "litellm_tokenopt.optimizer" in enabled
    heavy = {"numpy", "onnxruntime", "redis", "redisvl", "sentence_transformers", "torch"}
    assert heavy & {name.partition(".")[0] for name in enabled} == set()


def test_exported_names():
    """The public names, sorted."""
    import litellm_tokenopt

    assert litellm_tokenopt.__all__ == sorted(litellm_tokenopt.__all__)
    for name in set(litellm_tokenopt.__all__) - {"callback"}:
        assert getattr(litellm_tokenopt, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        litellm_tokenopt.nonsense  # noqa: B018
