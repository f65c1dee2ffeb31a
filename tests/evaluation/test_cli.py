"""The command ``tokenopt``."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from litellm_tokenopt.cli import main
from litellm_tokenopt.evaluation import doctor

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
    assert names == ["settings", "litellm", "token counts", "redis", "embedder"]
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
