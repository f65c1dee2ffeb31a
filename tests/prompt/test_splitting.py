"""A prompt's own sections as modules: nothing is lost, and what is written is found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from litellm_tokenopt.cli import main
from litellm_tokenopt.modules import faults, read_modules
from litellm_tokenopt.prompt.governing import govern
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.prompt.splitting import as_yaml, split_prompt

from .conftest import long_prompt
from .test_sections import TEXTS

RULE = "Always cite the source and the date of each figure in the answer."


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost(text: str) -> None:
    """The modules' texts joined are the prompt, and the modules fit together."""
    modules = split_prompt(text)
    assert "".join(module.text for module in modules).strip() == text.strip()
    assert list(faults(modules)) == []


def test_what_is_written_governs_the_prompt(tmp_path: Path) -> None:
    """Read from its file, every module is found in the prompt that it was split from; core and tools are told."""
    prompt = long_prompt() + "### Mail\n\nsend_mail asks first. send_mail is slow; see Gift cards.\n"
    path = tmp_path / "modules.yaml"
    path.write_text(as_yaml(split_prompt(prompt, frozenset({"send_mail"}))))
    modules = {module.id: module for module in read_modules(path)}
    assert {module.id for module in govern(list(modules.values()), outline([prompt])).modules} >= set(modules) - {
        "mail"
    }
    assert modules["opening"].when.always
    assert modules["safety-rules"].when.always
    assert not modules["refunds"].when.always
    assert modules["refunds"].summary.startswith("Refunds")
    assert modules["refunds"].tokens > 50
    assert modules["mail"].when.tools == ("send_mail",)
    assert modules["mail"].under == "database"
    assert modules["mail"].requires == ("gift-cards",)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "prompt.md"
    path.write_text(f"You help.\n\n# Sums\n\n- {RULE}\n\n# Dates\n\n* {RULE}\n")
    return path


def test_split_prints_yaml_or_json(written: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is printed can be used as it is."""
    assert main(["prompt", "split", str(written)]) == 0
    (tmp_path / "modules.yaml").write_text(capsys.readouterr().out)
    ids = [module.id for module in read_modules(tmp_path / "modules.yaml")]
    assert ids == ["opening", "sums", "dates"]
    assert main(["prompt", "split", str(written), "--json"]) == 0
    assert [module["id"] for module in json.loads(capsys.readouterr().out)["modules"]] == ids


def lint(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[tuple[str, str], str]]:
    """The exit code, and what is said by (rule, module)."""
    code = main(["prompt", "lint", str(path), "--json", *more])
    told = json.loads(capsys.readouterr().out)
    assert told["tokens"] == sum(row["tokens"] for row in told["modules"]) > 0
    return code, {(one["rule"], one["module"]): one["message"] for one in told["findings"]}


def test_lint_finds_repeats_with_their_places(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A repeat is a warning: it costs tokens alone."""
    code, found = lint(written, capsys)
    assert code == 0
    assert found["repeat", "sums"].startswith("sums:3 is said again at dates:3: ")
    assert main(["prompt", "lint", str(written)]) == 0
    assert "0 errors, 1 warnings" in capsys.readouterr().out


def test_lint_finds_what_contradicts_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing ids, circles, conflicts, kinds of tasks that there aren't, and modules that are never sent: exit 1."""
    path, prompt, tools = tmp_path / "m.yaml", tmp_path / "p.md", tmp_path / "t.json"
    path.write_text(
        """
        - {id: core, text: You help., when: {always: true}}
        - {id: a, text: One., requires: [b, nobody]}
        - {id: b, text: Two., requires: [a]}
        - {id: c, text: Three., requires: [d]}
        - {id: d, text: Four., conflicts: [c]}
        - {id: e, text: Five., conflicts: [core]}
        - {id: f, text: Six., when: {intents: [cooking]}}
        - {id: g, text: Seven., when: {tools: ['mail_*']}}
        """
    )
    prompt.write_text("You help. One. Two. Three. Four. Five. Six.")
    tools.write_text(json.dumps([{"type": "function", "function": {"name": "list_orders"}}]))
    code, found = lint(path, capsys, "--prompt", str(prompt), "--tools", str(tools))
    assert code == 1
    assert found["dependency", "a"] == "requires: there is no module nobody"
    assert found["cycle", "a"] == "requires: goes round in a circle: a, b"
    assert found["dependency", "c"] == "requires: needs itself and d, which conflict"
    assert found["dead", "e"] == "conflicts with core, which is always sent"
    assert found["intent", "f"] == "when.intents: there is no kind of task cooking"
    assert ("dead", "g") in found
    assert ("dead", "a") not in found


def test_lint_finds_what_no_intent_reaches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A module that the budget never has room for, whatever kind of task is asked for."""
    path, settings_file = tmp_path / "m.yaml", tmp_path / "s.yaml"
    text = "\n".join(f"Row {n} of the ledger is settled with the abbot of Selby in salt." for n in range(60))
    rows = [{"id": "core", "text": f"You help.\n{text}", "when": {"always": True}}]
    rows += [{"id": "ledger", "text": f"Ledger.\n{text.replace('salt', 'wool')}", "priority": -5}]
    path.write_text(json.dumps(rows))
    settings_file.write_text("prompt: {budget_tokens: 200}\n")
    code, found = lint(path, capsys, "--settings", str(settings_file))
    assert code == 0
    assert ("unreached", "ledger") in found


@pytest.mark.parametrize("args", [["split", "no.md"], ["lint", "no.yaml"], ["lint", "no.md"]])
def test_a_file_that_is_not_there(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The error names it."""
    assert main(["prompt", *args]) == 1
    assert args[1] in capsys.readouterr().err
