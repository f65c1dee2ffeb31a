"""Exporting: once, whole, checked, and for any BERT-like folder."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.models.build import build_embedder, describe, warmup
from litellm_tokenopt.models.export import export, export_locked
from litellm_tokenopt.models.files import ModelFiles, find_model, is_exported
from litellm_tokenopt.models.onnx import OnnxEmbedder
from litellm_tokenopt.models.sentence import SentenceTransformerEmbedder
from litellm_tokenopt.settings import EmbedderSettings


@pytest.fixture(scope="module")
def files(tiny_folder) -> ModelFiles:
    found = find_model(str(tiny_folder))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def cache(files, tmp_path_factory):
    """A cache folder into which two processes, this one and another, exported the same model at once."""
    folder = tmp_path_factory.mktemp("cache")
    target = files.export_folder(folder)
    command = [sys.executable, "-m", "litellm_tokenopt.models.export", str(files.folder), str(target)]
    other = subprocess.Popen([*command, files.weights_sha256], stderr=subprocess.PIPE, text=True)
    while other.poll() is None and not Path(f"{target}.lock").exists():
        time.sleep(0.01)
    export_locked(files.folder, target, files.weights_sha256)
    _, errors = other.communicate(timeout=300)
    assert other.returncode == 0, errors
    return folder


@pytest.fixture
def settings(tiny_folder, cache) -> EmbedderSettings:
    return EmbedderSettings(model=str(tiny_folder), cache_dir=str(cache))


def test_processes_that_export_at_once_leave_one_whole_export(files, cache):
    """Nothing but the export and its lock is left."""
    target = files.export_folder(cache)
    assert is_exported(target)
    assert sorted(path.name for path in cache.iterdir()) == [target.name, f"{target.name}.lock"]
    assert sorted(path.name for path in target.iterdir()) == ["export.json", "model.onnx", "tokenizer.json"]


async def test_a_folder_of_ones_own_is_served(settings, files, tiny_folder):
    """Any BERT-like sentence-transformers folder gives the vectors that sentence-transformers gives."""
    texts = ["a b c", "rain in the east", "", "z" * 400, "a e i o u " * 50]
    served = await build_embedder(settings).embed(texts)
    expected = await SentenceTransformerEmbedder(files.name, tiny_folder).embed(texts)
    assert served.shape == (5, 32)
    assert (served * expected).sum(axis=1).min() >= 0.97


async def test_texts_are_cut_where_the_model_stops_reading(settings):
    """What is behind max_seq_length tokens changes nothing."""
    long, longer = await build_embedder(settings).embed(["a b " * 20, "a b " * 20 + "q r s"])
    assert np.array_equal(long, longer)


def test_an_export_is_made_once(settings, files, cache):
    """Where it is, warming up leaves it as it is."""
    target = files.export_folder(cache)
    before = (target / "model.onnx").stat().st_mtime_ns
    assert warmup(settings) == target
    assert (target / "model.onnx").stat().st_mtime_ns == before


def test_names_and_exports_follow_the_weights(files, tmp_path):
    """Two models of one name share neither index nor export."""
    other = ModelFiles(name=files.name, folder=files.folder, weights_sha256="0" * 64, dimensions=32)
    assert files.name == f"tiny-bert-{files.weights_sha256[:8]}"
    assert other.export_folder(tmp_path) != files.export_folder(tmp_path)


def test_other_weights_than_expected_are_refused(files, tmp_path):
    """The SHA-256 is verified before anything is loaded."""
    wrong = ModelFiles(name="tiny", folder=files.folder, weights_sha256="0" * 64, dimensions=32)
    with pytest.raises(ModelUnavailable, match="not the expected file"):
        export(wrong, wrong.export_folder(tmp_path))
    assert not is_exported(wrong.export_folder(tmp_path))


async def test_a_failed_export_is_told_to_every_caller(files, tmp_path):
    """It's tried once a process, and each embed says why there are no vectors."""
    (tmp_path / "blocked").write_text("a file where a folder should be")
    embedder = OnnxEmbedder(files, tmp_path / "blocked", threads=1)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="export of tiny-bert"):
            await embedder.embed(["a"])


async def test_a_broken_export_is_told(files, tmp_path):
    """An export that can't be loaded names its folder."""
    target = files.export_folder(tmp_path)
    target.mkdir()
    (target / "export.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match=target.name):
        await OnnxEmbedder(files, tmp_path, threads=1).embed(["a"])


def test_describe_tells_what_is_there(settings, files, cache):
    """Files, weights, export and its size."""
    facts = describe(settings)
    assert facts["ok"]
    assert facts["weights_ok"]
    assert facts["exported"]
    assert facts["export_folder"] == str(files.export_folder(cache))
    assert facts["export_bytes"] > 1000
