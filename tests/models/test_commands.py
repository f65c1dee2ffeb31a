"""The classifier of commands: what is saved is what is loaded, and broken or foreign files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.models.commands import BUCKETS, WEIGHTS, Commands, load_commands, save_commands

SENTENCES = ("Keep replies under five lines", "The office opened in 1998.", "Antworte auf Deutsch", "")


def test_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Up to eight bits."""
    weights = tuple(np.random.default_rng(1).normal(size=BUCKETS).tolist())
    save_commands(tmp_path / "commands.npz", Commands(weights, 0.5), data_sha256="0")
    read = load_commands(tmp_path / "commands.npz")
    assert read.bias == 0.5
    assert read.weights == pytest.approx(weights, abs=0.03)
    for sentence in SENTENCES:
        assert read.score(sentence) == pytest.approx(Commands(weights, 0.5).score(sentence), abs=0.2)


def test_refused(tmp_path: Path) -> None:
    """A broken file, none, and one of another size are clear errors."""
    path = tmp_path / "commands.npz"
    whole = WEIGHTS.read_bytes()
    for broken in (b"", b"{}", b"PK nothing", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(ModelUnavailable, match="can't be read"):
            load_commands(path)
    with pytest.raises(ModelUnavailable, match="can't be read"):
        load_commands(tmp_path / "none.npz")
    save_commands(path, Commands((1.0, 2.0), 0.0), data_sha256="0")
    with pytest.raises(ModelUnavailable, match="another format"):
        load_commands(path)
