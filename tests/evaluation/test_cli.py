"""The command ``tokenopt``."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from litellm_tokenopt.cli import main
from litellm_tokenopt.evaluation import doctor
from litellm_tokenopt.optimizer import TokenOptimizer
from litellm_tokenopt.redis.embedded import FOLDER_VARIABLE

MEMORY = {"redis": {"url": "memory"}, "time_budget_seconds": 60}


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps(MEMORY))
    return path


def test_help_imports_nothing_heavy() -> None:
    """``--help`` answers without loading LiteLLM, rich or a model."""
    code = (
        "import sys, contextlib\n"
        "from litellm_tokenopt.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "heavy = {'litellm', 'rich', 'numpy', 'redis', 'aiohttp', 'openai', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "tokenopt replay requests.jsonl" in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` says which one is installed."""
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("tokenopt 0.")


def test_explain_shows_each_stage(tmp_path: Path, settings_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A request's steps are shown, and with --json what would be sent too."""
    tools = [
        {"type": "function", "function": {"name": f"tool_{n}", "description": "Looks up. " * 60, "parameters": {}}}
        for n in range(20)
    ]
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "Please call tool_3."}], "tools": tools}))
    assert main(["explain", str(path), "--settings", str(settings_file)]) == 0
    shown = capsys.readouterr().out
    assert all(stage in shown for stage in ("cache", "tools", "prompt", "context", "all"))
    assert main(["explain", str(path), "--settings", str(settings_file), "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained["summary"]["tokens_saved"] > 0
    assert len(explained["sent"]["tools"]) < len(tools)


def explained(
    body: Mapping[str, Any], folder: Path, settings: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    path = folder / "request.json"
    path.write_text(json.dumps(body))
    assert main(["explain", str(path), "--settings", str(settings), "--json", "--html", str(folder / "page.html")]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


WORDS = "the parcel of the tent was seen at Leeds by Ana and lies there since the flood of the river"
ROUNDS = [(f"call_{n}", f"T-{1000 + n}", f"{WORDS} in week {n}. " * 12) for n in range(30)]


def chat_rounds() -> dict[str, Any]:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "Where is it?"},
    ]
    for name, ticket, text in ROUNDS:
        call = {
            "id": name,
            "type": "function",
            "function": {"name": "look", "arguments": json.dumps({"ticket": ticket})},
        }
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": name, "content": text})
    return {"messages": [*messages, {"role": "user", "content": "And now?"}]}


def messages_rounds() -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Where is it?"}]
    for name, ticket, text in ROUNDS:
        use = {"type": "tool_use", "id": name, "name": "look", "input": {"ticket": ticket}}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": "Looking."}, use]})
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": name, "content": text}]})
    messages[-1]["content"].append({"type": "text", "text": "And now?"})
    return {"messages": messages, "max_tokens": 100}


def responses_rounds() -> dict[str, Any]:
    items: list[dict[str, Any]] = [{"role": "user", "content": "Where is it?"}]
    for name, ticket, text in ROUNDS:
        arguments = json.dumps({"ticket": ticket})
        items.append({"type": "function_call", "call_id": name, "name": "look", "arguments": arguments})
        items.append({"type": "function_call_output", "call_id": name, "output": text})
    return {"instructions": "Help.", "input": [*items, {"role": "user", "content": "And now?"}]}


@pytest.mark.parametrize(
    "body", [chat_rounds(), messages_rounds(), responses_rounds()], ids=["chat", "messages", "responses"]
)
def test_explain_tells_of_each_message(
    body: dict[str, Any], tmp_path: Path, settings_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In every API: a level, a score, and what was done; the tokens come to what the steps say; --html is a page."""
    found = explained(body, tmp_path, settings_file, capsys)
    messages = found["messages"]
    assert [one["index"] for one in messages] == list(range(len(body.get("messages") or body["input"])))
    assert {one["level"] for one in messages} <= {"critical", "important", "background"}
    assert all(0 <= one["score"] <= 1 and one["tokens_after"] <= one["tokens_before"] for one in messages)
    assert messages[-1]["level"] == "critical"
    assert messages[-1]["action"] == "kept"
    assert {one["action"] for one in messages} & {"shortened", "digested", "left_out"}
    assert sum(one["tokens_after"] for one in messages) <= found["summary"]["tokens_after"] * 1.1
    page = (tmp_path / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("<tr") > len(messages)


@pytest.mark.parametrize(
    "body", [chat_rounds(), messages_rounds(), responses_rounds()], ids=["chat", "messages", "responses"]
)
def test_explain_tells_what_is_pinned(
    body: dict[str, Any], tmp_path: Path, settings_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In every API: by index, as the table has it, or by a text that a message holds; it's sent as it came."""
    own = {"tokenopt": {"pin": [4, "in week 12."]}}
    found = explained({**body, "litellm_metadata": own}, tmp_path, settings_file, capsys)
    pinned = [one for one in found["messages"] if one["why"] == "pinned"]
    assert len(pinned) == 2
    assert pinned[0]["index"] == 4
    assert all(one["level"] == "critical" and one["action"] == "kept" for one in pinned)
    sent = json.dumps(found["sent"])
    assert json.dumps(ROUNDS[12][2])[1:-1] in sent
    assert json.dumps(ROUNDS[11][2])[1:-1] not in sent


def test_explain_tells_of_short_conversations(
    tmp_path: Path, settings_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Levels are there though nothing is cut."""
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    (line,) = explained(body, tmp_path, settings_file, capsys)["messages"]
    assert (line["level"], line["action"], line["role"]) == ("critical", "kept", "user")
    assert line["tokens_before"] == line["tokens_after"] > 0


def test_explain_shows_whole_numbers_beside_wide_letters(
    tmp_path: Path, settings_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters that take two columns of a terminal take none from the numbers."""
    monkeypatch.setenv("COLUMNS", "100")
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "長い質問です" * 60}] * 11}))
    assert main(["explain", str(path), "--settings", str(settings_file)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if " user " in line]
    assert [row[0] for row in rows] == [str(index) for index in range(11)]
    assert all("…" not in cell for row in rows for cell in row)


@pytest.mark.parametrize("text", ["{", "[]", '{"messages": []}'])
def test_explain_refuses_what_is_no_request(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that holds no request is named, with what is wrong."""
    path = tmp_path / "request.json"
    path.write_text(text)
    assert main(["explain", str(path)]) == 1
    assert str(path) in capsys.readouterr().err


def test_doctor_finds_all_well(settings_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With memory for Redis, everything that the tests' environment has is fine."""
    code = main(["doctor", "--json", "--settings", str(settings_file)])
    found = json.loads(capsys.readouterr().out)
    names = [check["name"] for check in found["checks"]]
    assert names == ["settings", "litellm", "token counts", "redis", "embedder", "index"]
    assert (code, found["ok"]) == (0, True), found


@pytest.mark.parametrize(
    ("settings", "name", "complaint"),
    [
        ({"tools": {"max_tool": 3}}, "settings", "tools.max_tool"),
        ({"redis": {"url": "redis://127.0.0.1:1"}}, "redis", "127.0.0.1"),
        ({**MEMORY, "embedder": {"backend": "onnx", "model": "no-such-model"}}, "embedder", "no-such-model"),
    ],
)
def test_doctor_names_what_is_wrong(
    tmp_path: Path, settings: dict[str, Any], name: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What fails is named with what to do about it, and the exit code says so."""
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps(settings))
    assert main(["doctor", "--json", "--settings", str(path)]) == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks[name]["state"] == "fail"
    assert complaint in checks[name]["found"]
    assert checks[name]["advice"]


def test_doctor_warns_of_an_untested_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version outside the tested range is a warning, not a failure."""
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.200.0")
    check = doctor.check_litellm()
    assert (check.state, bool(check.advice)) == ("warn", True)


def test_the_tested_range_is_the_one_that_is_installed() -> None:
    """The doctor's range is the dependency's."""
    first, end = doctor.LITELLM_RANGE
    required = importlib.metadata.requires("litellm-tokenopt") or []
    assert any(f">={first}" in line and f"<{end}" in line for line in required if line.startswith("litellm["))


def test_warmup_says_where_the_model_is(settings_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The model is made ready, and its folder named."""
    assert main(["warmup", "--settings", str(settings_file)]) == 0
    assert "all-MiniLM-L6-v2: ready" in capsys.readouterr().out


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Settings whose embedded Redis, in a folder that is named, holds three answers of its own."""
    with tempfile.TemporaryDirectory(prefix="tokenopt-cli-") as folder:
        monkeypatch.setenv(FOLDER_VARIABLE, folder)
        yield from _cached(tmp_path)


def _cached(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cached.yaml"
    path.write_text(json.dumps({"redis": {"url": "embedded", "prefix": f"cli-{tmp_path.name}"}}))

    async def fill(optimizer: TokenOptimizer) -> None:
        for question, tags, model in (("Who?", ["a"], "m1"), ("Where?", ["a", "b"], "m2"), ("When?", [], "m1")):
            await optimizer.parts.cache.store(question, "Me.", similar=False, tags=tags, model=model, tenant="team:x")

    with asyncio.Runner() as runner:
        optimizer = TokenOptimizer(path)
        runner.run(fill(optimizer))
        yield path
        runner.run(optimizer.aclose())


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_cache_lists_shows_and_counts(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Entries are listed by condition, newest first; one is shown with its answer; all are counted."""
    settings = ("--settings", str(cached))
    listed = run_json(capsys, "cache", "list", *settings, "--tag", "a")
    assert [entry["question"] for entry in listed] == ["Where?", "Who?"]
    assert len(run_json(capsys, "cache", "list", *settings, "--limit", "1")) == 1
    shown = run_json(capsys, "cache", "show", listed[0]["key"], *settings)
    assert (shown["text"], shown["payload"], shown["tags"]) == ("Me.", {"text": "Me."}, ["a", "b"])
    stats = run_json(capsys, "cache", "stats", *settings)
    assert (stats["entries"], stats["by_model"]) == (3, {"m1": 2, "m2": 1})
    for command, words in {
        ("list",): ("Where?", "team:x", listed[0]["key"]),
        ("show", listed[0]["key"]): ("Me.", "a, b"),
        ("stats",): ("3 entries", "m2"),
    }.items():
        assert main(["cache", *command, *settings]) == 0
        out = capsys.readouterr().out
        assert all(word in out for word in words), out


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_cache_lists_a_line_an_entry(
    cached: Path, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal's lines fit, with whole heads and questions; in a pipe nothing is left out."""
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["cache", "list", "--settings", str(cached)]) == 0
    piped = capsys.readouterr().out.splitlines()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["cache", "list", "--settings", str(cached)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(piped) == len(shown) == 4
    assert piped[0].split() == ["key", "age", "model", "tenant", "tags", "question"]
    assert [line.split()[-1] for line in piped[1:]] == ["When?", "Where?", "Who?"]
    assert len(piped[1].split()[0]) >= 32
    assert max(map(len, shown)) <= columns
    assert shown[0].split()[-1] == "question"
    assert [line.split()[-1] for line in shown[1:]] == ["When?", "Where?", "Who?"]


def test_cache_drops_what_is_named(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every condition must hold; without one --all is asked for."""
    settings = ("--settings", str(cached))
    for wrong in ((), ("--all", "--tag", "a")):
        assert main(["cache", "drop", *settings, *wrong]) == 1
        assert "--all" in capsys.readouterr().err
    assert run_json(capsys, "cache", "drop", *settings, "--older-than", "1h") == {"removed": 0}
    assert main(["cache", "drop", *settings, "--tag", "c"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["0 removed", "models of the newest answers kept: m1, m2"]
    assert run_json(capsys, "cache", "drop", *settings, "--tag", "a", "--model", "m1") == {"removed": 1}
    assert main(["cache", "drop", *settings, "--all"]) == 0
    assert capsys.readouterr().out == "2 removed\n"
    assert run_json(capsys, "cache", "list", *settings) == []


def test_cache_reports(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong answer is removed, a right one stays, and the counts say how many of either were reported."""
    settings = ("--settings", str(cached))
    where, who = (run_json(capsys, "cache", "list", *settings, "--tag", "a")[n]["key"] for n in (0, 1))
    assert run_json(capsys, "cache", "report", where, "wrong", *settings) == {"key": where, "verdict": "wrong"}
    assert main(["cache", "report", who, "right", *settings]) == 0
    assert capsys.readouterr().out == "noted\n"
    assert [entry["key"] for entry in run_json(capsys, "cache", "list", *settings, "--tag", "a")] == [who]
    assert main(["cache", "stats", *settings]) == 0
    assert "reported: 1 right, 1 wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("report", "nothing", "wrong"), "nothing"),
        (("drop", "--older-than", "soon"), "older_than is 'soon'"),
        (("drop", "--tag", ""), "tag is empty"),
        (("show", "nothing"), "nothing"),
    ],
)
def test_cache_says_what_is_wrong(
    cached: Path, arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong argument is named."""
    assert main(["cache", *arguments, "--settings", str(cached)]) == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("url", ["memory", "embedded"])
@pytest.mark.parametrize(
    "action",
    [
        *(
            ("cache", *one)
            for one in (("list",), ("stats",), ("show", "k"), ("drop", "--all"), ("report", "k", "right"))
        ),
        ("tools", "stats"),
        ("tools", "publish"),
    ],
    ids=" ".join,
)
def test_what_is_out_of_reach_is_refused(
    url: str, action: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process keeps in its memory, or in a server of its own, is not said to be nothing."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("TOKENOPT_REDIS__URL", url)
    assert main([*action]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"redis.url is {url}" in said.err
    assert "redis:// URL" in said.err
    assert ("/tokenopt/cache" in said.err) == (action[0] == "cache")


def test_whoever_stops_reading_ends_it_quietly(tmp_path: Path) -> None:
    """``tokenopt … | head`` is no error to tell of."""
    (tmp_path / "prompt.md").write_text("## Part\n\nDo this.\n")
    command = [sys.executable, "-m", "litellm_tokenopt.cli", "prompt", "split", str(tmp_path / "prompt.md")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert (run.stderr.read(), run.wait(60)) == (b"", 1)
