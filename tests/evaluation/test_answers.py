"""The measure of answers: what counts as surviving, and that our compressors keep more than the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litellm_tokenopt.errors import InputError
from litellm_tokenopt.evaluation.answers import DATA, main, measure, methods, read_asked, survives
from litellm_tokenopt.models.training.importance import DATA as TRAINED_ON
from litellm_tokenopt.models.training.importance import read_marked


def test_surviving() -> None:
    """An answer survives where its words stand side by side, whatever their case and punctuation."""
    assert survives("forty days", "Ships stay Forty, days.")
    assert not survives("forty days", "forty whole days")
    assert not survives("4", "45 days")


def test_never_trained_on() -> None:
    """No context of the measure is one that the classifier was trained on, and there are enough of them."""
    trained = {read_marked(json.loads(line)["text"])[0] for line in TRAINED_ON.read_text().splitlines()}
    contexts = {one.context for one in read_asked(DATA)}
    assert len(contexts) >= 100
    assert not contexts & trained


async def test_ours_keep_more() -> None:
    """With a question nearly all answers survive at a third; without, important words beat all else by far."""
    asked = read_asked(DATA)[::3]
    told = []
    scores = await measure(
        asked, methods([one.context for one in asked]), (0.33,), progress=lambda done, total: told.append((done, total))
    )
    best = {(score.method, score.with_question): score.survived for score in scores}
    assert best["extractive", True] >= 0.95
    others = [share for (method, asks), share in best.items() if method != "tokens" and not asks]
    assert best["tokens", False] >= 0.54
    assert best["tokens", False] > max(others) + 0.15
    assert all(score.tokens_left < 0.36 for score in scores)
    assert told[-1] == (len(scores), len(scores))


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anybody's file can be measured, as a table or as JSON."""
    path = tmp_path / "mine.jsonl"
    row = {"context": "Ada lives in Ulm. It rains.", "question": "Where does Ada live?", "answer": "Ulm"}
    path.write_text(json.dumps(row))
    assert main([str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["questions"] == found["contexts"] == 1
    assert any(score["method"] == "extractive" and score["survived"] == 1 for score in found["scores"])
    assert found["absent"] == {"llmlingua": "needs a model: --llmlingua FOLDER or a hub's name"}
    assert main([str(path), "--llmlingua", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "extractive" in shown
    assert f"llmlingua: prompt.llmlingua_model {tmp_path} can't be loaded" in " ".join(shown.split())


def test_bad_file(tmp_path: Path) -> None:
    """An answer that isn't in its context is an error that names the question."""
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps({"context": "a b", "question": "q?", "answer": "c"}))
    with pytest.raises(InputError, match="question 1: the answer 'c'"):
        read_asked(path)
