"""The trained matching of requests and tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.evaluation.tool_choice import Case, packaged, read_cases
from litellm_tokenopt.models import minilm
from litellm_tokenopt.models.build import build_embedder
from litellm_tokenopt.models.matching import WEIGHTS, Matching, load_matching, save_matching
from litellm_tokenopt.settings import EmbedderSettings
from litellm_tokenopt.tools.reading import name_of, summary


def test_maps_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Up to half precision; what is mapped has length one, and an empty text stays empty."""
    chance = np.random.default_rng(1)
    shapes = {"asked_in": (6, 2), "asked_out": (2, 6), "offered_in": (6, 2), "offered_out": (2, 6)}
    maps = Matching(**{name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
    save_matching(tmp_path / "maps.npz", maps, embedder="some-model", data_sha256="0")
    read = load_matching(tmp_path / "maps.npz", "some-model-onnx-int8")
    vectors = chance.normal(size=(3, 6)).astype(np.float32)
    np.testing.assert_allclose(read.asked(vectors), maps.asked(vectors), atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(read.offered(vectors), axis=1), 1.0, atol=1e-5)
    assert not read.asked(np.zeros((1, 6), np.float32)).any()


def test_maps_of_another_embedder_are_refused() -> None:
    """They'd mean nothing."""
    with pytest.raises(ModelUnavailable, match="trained on"):
        load_matching(WEIGHTS, "another-model")


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    """It's said which."""
    (tmp_path / "maps.npz").write_bytes(b"PK nothing")
    with pytest.raises(ModelUnavailable, match=r"maps\.npz"):
        load_matching(tmp_path / "maps.npz", "some-model")


async def test_requests_come_nearer_to_the_tools_that_serve_them() -> None:
    """More of the wanted tools are among the best ten of hundreds where matched vectors join the plain ones."""
    embedder: Any = build_embedder(EmbedderSettings())
    tools, cases = read_cases(packaged())
    every = [tool for agent in tools.values() for tool in agent]
    asked = await embedder.embed([case.question for case in cases])
    offered = await embedder.embed([summary(tool) for tool in every])
    maps = load_matching(WEIGHTS, minilm.NAME)
    plain = asked @ offered.T
    joined = plain + maps.asked(asked) @ maps.offered(offered).T
    found = [_found(cases, alike, [name_of(tool) for tool in every]) for alike in (plain, joined)]
    assert found[1] > 1.03 * found[0]


def _found(cases: Sequence[Case], alike: Any, names: Sequence[str | None]) -> int:
    best = [{names[at] for at in row[:10]} for row in (-alike).argsort(axis=1, kind="stable")]
    return sum(len(case.wanted & some) for case, some in zip(cases, best, strict=True))
