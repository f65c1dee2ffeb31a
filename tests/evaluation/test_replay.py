"""Replaying a user's own requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from litellm_tokenopt.cli import main
from litellm_tokenopt.errors import InputError
from litellm_tokenopt.evaluation.replay import BadLine, read_requests, replay, request_of
from litellm_tokenopt.settings import load_settings

SETTINGS = {"redis": {"url": "memory"}, "time_budget_seconds": 60}
TOOLS = [
    {"type": "function", "function": {"name": f"tool_{n}", "description": "Looks things up. " * 40, "parameters": {}}}
    for n in range(20)
]


def request(question: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": question}], **more}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    return write(tmp_path / "settings.yaml", SETTINGS)


async def test_repeats_are_answered_from_the_cache(tmp_path: Path) -> None:
    """A request that came before, with or without a recorded response, is a hit the second time."""
    response = {"choices": [{"message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}]}
    lines = [
        request("Does a warranty cover zips?", response=response),
        {"body": request("Does a warranty cover seams?"), "url": "/v1/chat/completions"},
        {"request": request("Does a warranty cover zips?")},
        request("Does a warranty cover seams?"),
    ]
    report = (await replay(write(tmp_path / "r.jsonl", *lines), load_settings(SETTINGS))).report
    assert (report.requests, report.requests_at_model, report.cache.exact) == (4, 2, 2)
    assert report.money is not None
    assert report.money.after.requests == 2
    assert report.money.after.input_tokens < report.money.before.input_tokens


async def test_stages_save_tokens(tmp_path: Path) -> None:
    """Tools that a request doesn't need are left out, and the report says so."""
    path = write(tmp_path / "r.jsonl", request("Please call tool_3.", tools=TOOLS))
    report = (await replay(path, load_settings(SETTINGS))).report
    tools = next(line for line in report.stages if line.stage == "tools")
    assert tools.tokens_saved > 500
    assert report.tokens_after == report.tokens_before - report.stages[-1].tokens_saved - tools.tokens_saved
    assert report.money is not None
    assert report.money.after.input_tokens < report.money.before.input_tokens


async def test_the_three_apis_are_replayed(tmp_path: Path) -> None:
    """Messages and responses requests are known by their form, and repeats hit in each API."""
    anthropic = {"model": "claude-sonnet-4-5", "system": "Be brief.", **request("Does a warranty cover zips?")}
    responses = {"model": "gpt-4o", "input": "Does a warranty cover zips?"}
    path = write(tmp_path / "r.jsonl", anthropic, responses, anthropic, responses)
    report = (await replay(path, load_settings(SETTINGS))).report
    assert (report.requests, report.cache.exact) == (4, 2)


async def test_limit_and_model(tmp_path: Path) -> None:
    """Only the first requests are run, at the given model's prices; progress is told."""
    path = write(tmp_path / "r.jsonl", *(request(f"Question {n}?") for n in range(5)))
    told: list[tuple[int, int]] = []
    replayed = await replay(
        path, load_settings(SETTINGS), limit=2, model="gpt-4o-mini", progress=lambda *at: told.append(at)
    )
    assert replayed.report.requests == 2
    assert replayed.report.money is not None
    assert replayed.report.money.model == "gpt-4o-mini"
    assert told == [(1, 2), (2, 2)]


async def test_a_model_without_a_price_leaves_prices_out(tmp_path: Path) -> None:
    """A file's unknown model is a note, an unknown --model an error."""
    path = write(tmp_path / "r.jsonl", {**request("Hi?"), "model": "house-model"})
    report = (await replay(path, load_settings(SETTINGS))).report
    assert report.money is None
    assert "house-model" in report.notes[0]
    with pytest.raises(InputError, match="other-house-model"):
        await replay(path, load_settings(SETTINGS), model="other-house-model")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{not json", "not JSON"),
        ("[1]", "a line is a JSON object; got a list"),
        ({"body": "x"}, "the request is a JSON object; got a text"),
        ({"prompt": "x"}, "no 'messages' in it; keys: prompt"),
        ({"messages": []}, "'messages' is a list with at least one entry"),
        ({"messages": ["x"]}, "messages[0] is an object; got a text"),
        ({"messages": [{"content": "x"}]}, "messages[0] has no 'role'"),
        ({"input": None}, "'input' is a list with at least one entry; got null"),
        (request("x", tools="none"), "'tools' is a list of objects; got a text"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: Any, complaint: str) -> None:
    """A line that can't be used says its file, its number and what is wrong."""
    path = write(tmp_path / "r.jsonl", request("ok"), "", line)
    bad = [found for found in read_requests(path) if isinstance(found, BadLine)]
    assert bad[0].text.startswith(f"{path}:3: ")
    assert complaint in bad[0].text


def test_a_batch_result_gives_its_body() -> None:
    """OpenAI's batch output keeps the response one level deeper."""
    recorded = request_of({"body": request("x"), "response": {"status_code": 200, "body": {"choices": []}}})
    assert recorded.response == {"choices": []}


def test_the_command_goes_on_after_a_bad_line(
    tmp_path: Path, settings_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Good lines are replayed, bad ones named on stderr, and the exit code says so."""
    path = write(tmp_path / "r.jsonl", request("One?"), "oops", request("One?"))
    page = tmp_path / "report.html"
    code = main(["replay", str(path), "--settings", str(settings_file), "--json", "--html", str(page)])
    out, err = capsys.readouterr()
    assert code == 1
    assert json.loads(out)["requests"] == 2
    assert f"{path}:2: not JSON" in err
    assert "<svg" in page.read_text("utf-8")


def test_the_command_shows_a_table(tmp_path: Path, settings_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the report is for people."""
    path = write(tmp_path / "r.jsonl", request("One?"))
    assert main(["replay", str(path), "--settings", str(settings_file)]) == 0
    assert "tokens per request" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["missing.jsonl", "empty.jsonl"])
def test_a_file_without_requests_is_an_error(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that isn't there, or holds nothing, ends with one line that names it."""
    (tmp_path / "empty.jsonl").touch()
    assert main(["replay", str(tmp_path / name)]) == 1
    assert name in capsys.readouterr().err
