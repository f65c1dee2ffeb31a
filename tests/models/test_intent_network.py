"""The network of intents: what is saved is what is loaded, and broken or foreign files are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.models.intent_network import (
    BUCKETS,
    WEIGHTS,
    IntentNetwork,
    Layers,
    buckets,
    load_network,
    save_network,
)
from litellm_tokenopt.models.logistic import Logistic
from litellm_tokenopt.models.training.intents import joined


def small_network(seed: int = 0) -> IntentNetwork:
    chance = np.random.default_rng(seed)
    shapes = {"hidden": (4, 3), "hidden_bias": (3,), "out": (3, 2), "out_bias": (2,), "words": (BUCKETS, 2)}
    layers = Layers(**{name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
    by = np.array([[0.5, 0.5, -0.1], [0.5, 0.5, 0.2]])
    return IntentNetwork(names=("a", "b"), layers=layers, calibration=by, near=Logistic(np.array([9.0]), -5.0))


VECTORS = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
WORDS = [buckets("read the file"), [], buckets("hello")]


def test_saved_and_loaded(tmp_path: Path) -> None:
    """A loaded network tells what the saved one told, to half precision."""
    path, network = tmp_path / "intents.npz", small_network()
    save_network(path, network, embedder="mini", data_sha256="0")
    loaded = load_network(path, "mini-onnx-int8")
    assert loaded.names == network.names
    assert loaded.probabilities(VECTORS, WORDS) == pytest.approx(network.probabilities(VECTORS, WORDS), abs=0.01)
    assert loaded.near.probability(np.array([0.6])) == network.near.probability(np.array([0.6]))


def test_each_text_is_told_by_itself() -> None:
    """Texts that are told together are told as each alone would be."""
    network = small_network()
    alone = [network.probabilities(VECTORS[n : n + 1], WORDS[n : n + 1])[0] for n in range(3)]
    assert network.probabilities(VECTORS, WORDS) == pytest.approx(np.array(alone))


def test_joined_networks_tell_their_mean() -> None:
    """Several networks become one that gives the mean of their sums."""
    parts = [small_network(seed).layers for seed in range(3)]
    mean = np.mean([part.sums(VECTORS, WORDS) for part in parts], axis=0)
    assert joined(parts).sums(VECTORS, WORDS) == pytest.approx(mean, abs=1e-4)


def test_refused(tmp_path: Path) -> None:
    """Another embedder's weights, a broken file, and parts that don't fit are clear errors."""
    path, network = tmp_path / "intents.npz", small_network()
    save_network(path, network, embedder="mini", data_sha256="0")
    with pytest.raises(ModelUnavailable, match="trained on mini, not on minimal-onnx"):
        load_network(path, "minimal-onnx")
    whole = path.read_bytes()
    for broken in (b"", b"{}", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(ModelUnavailable, match="can't be read"):
            load_network(path, "mini")
    with pytest.raises(ModelUnavailable, match="can't be read"):
        load_network(tmp_path / "none.npz", "mini")
    save_network(path, replace(network, names=("a",)), embedder="mini", data_sha256="0")
    with pytest.raises(ModelUnavailable, match="don't fit"):
        load_network(path, "mini")


def test_the_packaged_network_is_small() -> None:
    """It fits its embedder, and takes little space."""
    network = load_network(WEIGHTS, "all-MiniLM-L6-v2-onnx-int8")
    assert network.layers.hidden.shape[0] == 384
    assert WEIGHTS.stat().st_size <= 1_500_000
