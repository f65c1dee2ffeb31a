"""The curve of served against wrong, its picture, and the caches that it's compared with."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from litellm_tokenopt.errors import InputError
from litellm_tokenopt.evaluation.cache_bench import KINDS, questions, run
from litellm_tokenopt.evaluation.chart import Line, draw
from litellm_tokenopt.evaluation.curve import CACHE, WITH_JUDGE, Pair, Point, main, read_pairs, served_at, swept
from litellm_tokenopt.redis.embedded import FOLDER_VARIABLE, find_parts

ROWS = [
    {"a": "How do I close my account?", "b": "How can I close my account?", "same": True},
    {"a": "How do I close my account?", "b": "How do I open my account?", "same": False},
    {"a": "What does a day pass cost?", "b": "How much is a day pass?", "same": True},
    {"a": "What does a day pass cost?", "b": "What does a week pass cost?", "same": False},
]
needs_server = pytest.mark.skipif(find_parts() is None, reason="needs the embedded server")


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n", encoding="utf-8")
    return path


def test_the_sweep_counts_from_the_most_alike_down() -> None:
    """Equal scores are one point; what is never served has none."""
    pairs = [Pair("a", "b", True), Pair("a", "c", False), Pair("a", "d", True), Pair("a", "e", False)]
    points = swept([0.9, 0.8, 0.8, -math.inf], pairs)
    assert points == [Point(0.9, 0.5, 0.0), Point(0.8, 1.0, 0.5)]
    assert (served_at(points, 0.01), served_at(points, 0.5), served_at([], 0.5)) == (0.5, 1.0, 0.0)


def test_both_forms_of_pairs_are_read(tmp_path: Path, pairs_file: Path) -> None:
    """Pairs one by one, or a question with what asks the same and what doesn't."""
    assert [pair.same for pair in read_pairs(pairs_file)] == [True, False, True, False]
    group = {"ask": "q", "same": ["r", "s"], "other": [["negation", "n"]]}
    path = tmp_path / "groups.jsonl"
    path.write_text(json.dumps(group), encoding="utf-8")
    pairs = read_pairs(path)
    assert [(pair.a, pair.b) for pair in pairs if pair.same] == [("q", "r"), ("q", "s"), ("r", "s")]
    assert [(pair.a, pair.b) for pair in pairs if not pair.same] == [("q", "n")]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "x"}', "{", '{"a": "x", "b": "y", "same": true}'])
def test_a_file_without_pairs_of_both_kinds_is_refused(tmp_path: Path, text: str) -> None:
    """And the error names it."""
    path = tmp_path / "bad.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.jsonl"):
        read_pairs(path)


def test_the_picture_is_a_drawing_of_the_points() -> None:
    """None wrong is drawn at the left edge, all wrong and all served in the upper right corner."""
    root = ElementTree.fromstring(draw("T & U", "wrong", "served", [Line("<one>", [(0.0, 0.0), (1.0, 1.0)])]))
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    assert line.get("points") == "60.0,400.0 580.0,40.0"
    assert "<one>" in [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


@needs_server
def test_every_cache_is_run(pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other caches find what plain similarity finds; what asks something else is served by them alone."""
    picture = tmp_path / "curve.svg"
    assert main([str(pairs_file), "--json", "--svg", str(picture)]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["pairs"] == {"same": 2, "different": 2}
    last = {name: points[-1] for name, points in printed["curves"].items()}
    for name in ("cosine", "RedisVL SemanticCache", "LiteLLM redis-semantic"):
        assert (last[name]["served"], last[name]["wrong"]) == (1.0, 1.0)
    assert last["the whole cache"]["wrong"] == 0.0
    assert last["the whole cache"]["served"] >= 0.5
    for alone, judged in zip(printed["curves"][CACHE], printed["curves"][WITH_JUDGE], strict=True):
        assert judged["served"] >= alone["served"]
        assert judged["wrong"] == alone["wrong"]
    assert 0 <= printed["judge_asked"] <= 1
    assert len(list(ElementTree.parse(picture).getroot().iter("{http://www.w3.org/2000/svg}polyline"))) == len(last)


def test_the_benchs_questions_are_all_different() -> None:
    """And the same at each run."""
    asked = questions(2000)
    assert len({text for pair in asked for text in pair}) == 4000
    assert questions(2000) == asked


@needs_server
async def test_the_bench_times_hits_and_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats and rewordings hit among answers of which a part was embedded, new questions don't; parts are timed."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("litellm_tokenopt.evaluation.cache_bench.EMBEDDED", 64)
    stored: list[int] = []
    found = await run(100, 10, stored.append)
    assert sum(stored) == 100
    assert [found[kind]["whole"]["calls"] for kind in KINDS] == [1.0, 1.0, 1.0]
    assert found["exact"]["reasons"] == {"exact": 10}
    assert found["semantic"]["reasons"].get("semantic", 0) >= 8
    assert not {"exact", "semantic"} & set(found["miss"]["reasons"])
    assert found["semantic"]["verify"]["p50"] > 0
