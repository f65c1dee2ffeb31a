"""Small trained classifiers: what is saved is what is loaded, and never on another embedder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.models.logistic import WEIGHTS_FOLDER, Logistic, load_logistic, save_logistic

HEAD = Logistic(np.array([1.0, -2.0]), 0.5)


def test_saved_and_loaded(tmp_path: Path) -> None:
    """A loaded classifier gives the probabilities of the one that was saved."""
    save_logistic(tmp_path / "heads.json", {"kind": HEAD}, embedder="mini", data_sha256="0")
    loaded = load_logistic(tmp_path / "heads.json", "mini-onnx-int8")["kind"]
    features = np.array([0.3, 0.7])
    assert loaded.probability(features) == pytest.approx(HEAD.probability(features))
    assert HEAD.probability(np.array([0.0, 0.25])) == 0.5
    assert HEAD.probability(np.array([1e9, 0.0])) == pytest.approx(1)


def test_refused(tmp_path: Path) -> None:
    """Another embedder's weights, another format and a broken file are clear errors."""
    path = tmp_path / "heads.json"
    save_logistic(path, {"kind": HEAD}, embedder="mini", data_sha256="0")
    with pytest.raises(ModelUnavailable, match="trained on mini, not on minimal-onnx"):
        load_logistic(path, "minimal-onnx")
    path.write_text(path.read_text().replace('"format":1', '"format":9'))
    with pytest.raises(ModelUnavailable, match="format 9"):
        load_logistic(path, "mini")
    for broken in ("{", "[]", '{"format":1}'):
        path.write_text(broken)
        with pytest.raises(ModelUnavailable, match="can't be read"):
            load_logistic(path, "mini")


def test_the_packaged_weights() -> None:
    """The package carries weights for its own embedder."""
    heads = load_logistic(WEIGHTS_FOLDER / "conversations.json", "all-MiniLM-L6-v2-onnx-int8")
    assert set(heads) == {"standing", "small_talk", "hinges", "fact", "restated"}
