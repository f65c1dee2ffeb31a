"""A prompt's own sections as modules: nothing is lost, and what is written is found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from litellm_tokenopt.cli import main
from litellm_tokenopt.modules import PromptModule, faults, read_modules
from litellm_tokenopt.prompt import linting
from litellm_tokenopt.prompt.contradictions import contradictions
from litellm_tokenopt.prompt.governing import govern
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.prompt.splitting import as_yaml, split_prompt, summary

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
    assert modules["refunds"].summary == "Refunds: A refund over 200 GBP needs a team lead."
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


def test_lint_names_likenesses_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sentences made after one pattern are one finding, however many they are, and whichever are most alike."""
    shops = ["Oslo", "Bergen", "Molde", "Narvik", "Tromso"]
    text = "".join(f"## {s}\n\nThe people in {s} open the heavy blue door at eight in the morning.\n\n" for s in shops)
    path = tmp_path / "prompt.md"
    path.write_text(text + text.replace("eight", "dawn").replace("## ", "## Old "))
    assert main(["prompt", "lint", str(path), "--json"]) == 0
    found = [one for one in json.loads(capsys.readouterr().out)["findings"] if one["rule"] == "alike"]
    assert len(found) == 1
    assert all(shop.casefold() in found[0]["message"] for shop in shops)


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("Always use emoji.", "Never use an emoji.", "say the opposite"),
        ("You may share logs with partners.", "Logs must never be shared with partners.", "say the opposite"),
        ("Always ask the lead before a refund.", "Do not ask the lead before a refund.", "say the opposite"),
        ("Refunds up to 200 GBP need no lead.", "Refunds up to 250 GBP need no lead.", "give different numbers"),
        ("Answers have at most 10 lines.", "An answer must have at most 12 lines.", "give different numbers"),
        ("Reply within three days.", "Reply within 5 days.", "give different numbers"),
        ("Keep receipts for 7 years.", "Keep receipts for 10 years.", "give different numbers"),
        ("A deposit of 20% is due.", "A deposit of 30% is due.", "give different numbers"),
        ("The desk is open from 9:00 to 17:00.", "The desk is open from 8:00 to 17:00.", "give different numbers"),
        ("Answer in English.", "Do not answer in English.", "say the opposite"),
        ("You may waive the fee.", "You may not waive the fee.", "say the opposite"),
    ],
)
def test_lint_finds_contradictions_in_words(
    one: str, other: str, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one module asks for and another forbids, and two numbers for one limit, each pair once."""
    path = tmp_path / "prompt.md"
    path.write_text(f"You help.\n\n# Sums\n\n- {one}\n\n# Dates\n\n- {other}\n")
    code, found = lint(path, capsys)
    assert code == 0
    assert found["contradiction", "sums"].startswith(f"sums:3 and dates:3 {how}")
    assert ("alike", "sums") not in found


def test_what_is_no_contradiction() -> None:
    """Conditions, other things, and lists of numbers are none."""
    steps = [f"Step {n} must look at entry {n}." for n in range(1, 8)]
    texts = [
        "Always share logs with partners.", "Never share logs with partners unless they sign.",
        "Never share passwords.", "Tents may be lent for 3 days.", "Boats may be lent for 5 days.", *steps,
        "Form 12 must be signed.", "Form 14 must be signed.", "Room 4 seats 20 people.", "Room 5 seats 30 people.",
        "Answers have at least 2 sentences.", "Answers have at most 5 sentences.", "Do not call customers twice.",
        "Call customers when a parcel is lost.",
        "In ferry bookings the fare class and the length must match within 12 hours.",
        "In chargebacks the fare class and the length must match within 24 hours.",
    ]  # fmt: skip
    assert contradictions(texts) == []


def test_lint_finds_tags_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tag that isn't closed is sent as it stands; one with a ratio in per cent does nothing."""
    path = tmp_path / "prompt.md"
    right = "<keep>Always.</keep> <squeeze ratio=0.5>This may be shorter.</squeeze>"
    path.write_text(f"## One\n\n{right} <squeeze ratio=50%>This not.</squeeze>\n\n## Two\n\n<keep>Is open.\n")
    assert main(["prompt", "lint", str(path), "--json"]) == 0
    found = [one["message"] for one in json.loads(capsys.readouterr().out)["findings"] if one["rule"] == "tag"]
    assert [message.partition(":")[0] for message in found] == [
        "<squeeze ratio=50%> does nothing", "<keep> is sent as it stands",
    ]  # fmt: skip


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
        - {id: i, text: Nine., when: {words: ['refund*']}}
        - {id: h, text: Eight., when: {always: true}, conflicts: [core]}
        """
    )
    prompt.write_text("You help. One. Two. Three. Four. Five. Six. Eight. Nine.")
    tools.write_text(json.dumps([{"type": "function", "function": {"name": "list_orders"}}]))
    code, found = lint(path, capsys, "--prompt", str(prompt), "--tools", str(tools))
    assert code == 1
    assert found["dependency", "a"] == "requires: there is no module nobody"
    assert found["cycle", "a"] == "requires: goes round in a circle: a, b"
    assert found["dependency", "c"] == "requires: needs itself and d, which conflict"
    assert found["dead", "e"] == "conflicts with core, which is always sent"
    assert found["dead", "h"] == "conflicts with core, which is always sent, as it is itself"
    assert found["words", "i"].startswith("when.words: refund*: ")
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
    assert found["core", "core"].startswith("rules and what else is always sent take 8")
    path.write_text(json.dumps([*rows, {"id": "more", "text": "More.", "requires": ["ledger", "nobody"]}]))
    code, found = lint(path, capsys, "--settings", str(settings_file))
    assert code == 1
    assert {("unreached", "ledger"), ("dependency", "more")} <= found.keys()


def test_lint_without_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be looked for is said; the rest is found all the same."""
    path = tmp_path / "m.yaml"
    path.write_text("[{id: core, text: You help., requires: [nobody]}]")
    monkeypatch.setenv("TOKENOPT_EMBEDDER__MODEL", str(tmp_path / "none"))
    code, found = lint(path, capsys)
    assert code == 1
    assert ("dependency", "core") in found
    assert found["unreached", "core"] == "not looked for: there is no embedding model"


@pytest.mark.parametrize("args", [["split", "no.md"], ["lint", "no.yaml"], ["lint", "no.md"]])
def test_a_file_that_is_not_there(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The error names it."""
    assert main(["prompt", *args]) == 1
    assert args[1] in capsys.readouterr().err


def test_summaries() -> None:
    """A summary keeps identifiers and numbers, reads a table's cells, and says more than a label."""
    assert summary("Use `book_hotel`, then *wait*. More.") == "Use book_hotel, then wait."
    assert summary("62 EUR a day in France.") == "62 EUR a day in France."
    assert summary("2.1 Books are lent for 28 days.") == "Books are lent for 28 days."
    assert summary("| City | EUR |\n|---|---|\n| Porto | 110 |\n") == "City · EUR · Porto · 110"
    assert summary("User:\nOrder flour for shop 2.") == "Order flour for shop 2."
    assert summary("- Article 16: pine boards.\n- Article 17: oak.") == "Article 16: pine boards."


def test_tags_name_sections_in_words() -> None:
    """A tag about behaviour in general is always sent, its name said with underscores too."""
    text = (
        "You are Otto.\n\n<output_format>\nReplies are lists.\n</output_format>\n\n<bus_lines>\nNo bus.\n</bus_lines>\n"
    )
    always = {module.id: module.when.always for module in split_prompt(text)}
    assert always["output_format"]
    assert not always["bus_lines"]


def test_parts_that_are_referred_to_by_number_or_tag() -> None:
    """What "see 4.1" or a tag's name in a text refers to is required."""
    numbered = "1. LENDING\nAt most 2 times (see 2.1).\n\n2. WAITING\n2.1 Six days. It takes 1.5 hours.\n"
    assert [(m.id, m.requires) for m in split_prompt(numbered)] == [("1-lending", ("2-waiting",)), ("2-waiting", ())]
    tagged = "<labels>\nSee <orders> for who delivers.\n</labels>\n\n<orders>\nFrom the farm.\n</orders>\n"
    assert [m.requires for m in split_prompt(tagged)] == [("orders",), ()]


def test_lint_reads_sentences() -> None:
    """A sentence that is said again inside another paragraph is found, with the lines of both."""
    modules = [
        PromptModule(id="a", text="# A\nShops open at 5:00. Never promise a customer a delivery before that time.\n"),
        PromptModule(
            id="b", text="# B\nFlour comes on Tuesdays.\nNever promise a customer a delivery before that time. Good.\n"
        ),
    ]
    (found,) = linting.lint(modules, intents=frozenset())
    assert found.rule == "repeat"
    assert "a:2 is said again at b:3" in found.message
