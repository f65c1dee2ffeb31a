"""The times of the choice of a prompt's sections."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litellm_tokenopt.evaluation.prompt_bench import KINDS, exchanged, main, prompt_of
from litellm_tokenopt.evaluation.timing import PARTS
from litellm_tokenopt.prompt.sections import split
from litellm_tokenopt.tokens import count_text


def test_prompts_are_as_long_as_asked_and_different() -> None:
    """Each seed has other sections, none of which stands in another's prompt but the opening rules."""
    one, other = prompt_of(3_000, 1), prompt_of(3_000, 2)
    assert 3_000 <= count_text(one) < 4_000
    assert {section.body for section in split(one)} & {section.body for section in split(other)} <= {
        "\nNever give out a card number.\n\n"
    }


def test_exchanged_words_leave_the_form() -> None:
    """Other words stand in the same lines."""
    text = prompt_of(1_000)
    assert exchanged(text, 1) == exchanged(text, 1) != exchanged(text, 2)
    assert len(exchanged(text, 1).splitlines()) == len(text.splitlines())


@pytest.mark.parametrize("own", [False, True])
def test_what_was_seen_takes_less_than_first_sight(
    own: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed line costs a part of what its prompt does, a repeat nearly nothing; generated or one's own."""
    (tmp_path / "prompt.md").write_text(prompt_of(8_000), encoding="utf-8")
    given = ["--prompt", str(tmp_path / "prompt.md")] if own else ["--tokens", "8000"]
    assert main([*given, "--rounds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tokens"] >= 7_000
    assert {kind: set(found[kind]) for kind in KINDS} == {kind: set(PARTS) for kind in KINDS}
    assert found["warm"]["cpu"] < found["one line changed"]["cpu"] < found["first sight"]["cpu"]
