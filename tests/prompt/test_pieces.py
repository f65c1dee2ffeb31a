"""What a section is cut into, and what a piece brings with it so that it means the same."""

from __future__ import annotations

import json
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.lexical import term_counts
from litellm_tokenopt.prompt.choice import choose, core_of
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.prompt.pieces import pieces
from litellm_tokenopt.prompt.ranking import Relevance
from litellm_tokenopt.prompt.rendering import render
from litellm_tokenopt.tokens import count_text

ANY_LINE = (
    *(
        "Never do this:",
        "- Send a parcel to a post box. Ask first.",
        "  - not on Sundays",
        "",
        "| a | b |",
        "|---|---|",
    ),
    *("| 1 | 2 |", "The depot opens at 6:40. It closes at 19:00, but on Fridays at 16:00.", "```", "<keep>x</keep>"),
    *("1. Read the order. Then check its state with the tool that reads, and only then go on.", "word " * 120),
)
LINES = st.lists(st.sampled_from(ANY_LINE), max_size=30)

DEPOT = (
    "The depot in Ravel opens at 6:40 on working days, and the night porter hands the keys over in person. "
    "Vans are washed on Thursdays behind the hall, with the water of the rain tank as long as there is any. "
    "Fuel cards have a limit of 90 EUR a day, which the card itself enforces, so a second card is needed for tours. "
    "Tyres are checked on Mondays by Mr Sandoval, who writes the depth of each into the green book. "
    "Pallets that are broken go into the cage beside gate 4, where the carpenter fetches them once in a week."
)
NEVER = "Never do any of this:\n" + "".join(
    f"- {what}, whatever the customer says about it, and whoever else has agreed to that in the past.\n"
    for what in ("Promise a day of delivery", "Read card numbers aloud", "Open a parcel of another depot", "Lend a van")
)
FEES = "| Zone | Fee of the courier |\n|---|---|\n" + "".join(
    f"| {zone} and the villages around it, up to the ring road | {fee} EUR |\n"
    for zone, fee in (("Ravel", 4), ("Ostend", 7), ("Brno", 9), ("Turku", 14), ("Malmo", 12), ("Faro", 15))
)


@given(LINES)
def test_nothing_is_lost(lines: list[str]) -> None:
    """The pieces joined are the text, and a head stands before what needs it, but for the end of a code fence."""
    body = "\n".join(lines)
    found = pieces(body)
    assert "".join(piece.text for piece in found) == body
    heads = [(piece, n, piece.head) for n, piece in enumerate(found) if piece.head is not None]
    assert all(head < n or (piece.text.rstrip().endswith("```") and found[head].head == n) for piece, n, head in heads)


@given(LINES, st.data())
def test_cuts_begin_pieces(lines: list[str], data: st.DataObject) -> None:
    """Nothing is lost by cutting where a line begins, and of the pieces one begins there."""
    body = "\n".join(lines)
    begins = [n + 1 for n, sign in enumerate(body[:-1]) if sign == "\n"]
    cuts = data.draw(st.sets(st.sampled_from(begins)) if begins else st.just(set()))
    found = pieces(body, cuts)
    assert "".join(piece.text for piece in found) == body
    assert cuts <= set(accumulate(len(piece.text) for piece in found)) or "<keep" in body
    assert all(piece.head is None or piece.head < len(found) for piece in found)


@given(LINES)
def test_all_of_it_is_the_text(lines: list[str]) -> None:
    """A prompt of which all is sent reads as it did, line by line, though it could have been cut."""
    text = "# Depot\n\nOdo helps.\n" + "\n".join(dict.fromkeys(lines))
    found = outline([text], "light")
    everything = frozenset((i, b) for i, one in enumerate(found.profiles) for b in range(len(one.blocks)))
    assert _lines(render(found, everything)) == _lines(text)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def chosen(body: str, question: str, room: int) -> str:
    """What of a section of *body* is sent for a question, with *room* tokens for it."""
    found = outline([f"Odo helps.\n\n# Depot\n\n{body}\n\n# Other\n\n{'Nothing of it. ' * 200}"])
    relevance = [Relevance(float(section.title == "Depot"), 0.0, 0) for section in found.sections]
    query = dict.fromkeys(term_counts(question), 1.0)
    return render(found, choose(core_of(found), relevance, query, budget_tokens=room))


def test_sentences_of_a_long_paragraph() -> None:
    """Of a paragraph too long for the budget the sentences asked for are sent, in one line."""
    sent = chosen(DEPOT, "What is the limit of fuel cards, and who checks tyres?", 75)
    assert "Fuel cards have a limit of 90 EUR a day, which the card itself enforces" in sent
    assert "for tours. Tyres are checked on Mondays" in sent
    assert "washed" not in sent
    assert "[…]" in sent


def test_an_item_is_never_without_what_announces_it() -> None:
    """What is forbidden doesn't become an instruction because the line above it was left out; all of it is said."""
    sent = chosen(NEVER, "May I lend somebody a van?", 90)
    assert sent.count("whatever the customer says") == 4
    assert "Never do any of this:" in sent
    steps = "Do it like this, from morning:\n" + NEVER.partition("\n")[2]
    sent = chosen(steps, "Do we lend somebody a van?", 90)
    assert "Do it like this, from morning:" in sent
    assert "Lend a van" in sent
    assert "Open a parcel" not in sent


def test_a_row_is_never_without_its_header() -> None:
    """Of a long table the rows asked for are sent, under the table's header."""
    sent = chosen(FEES, "What does the courier cost to Turku?", 90)
    assert "| Zone | Fee of the courier |\n|---|---|\n" in sent
    assert "| Turku and the villages around it, up to the ring road | 14 EUR |" in sent
    assert "Brno" not in sent


def test_the_same_words_under_other_headings_are_no_repeats() -> None:
    """What may be done and what may not be done are both said, though the words are the same."""
    item = "- Send the contract to a customer by e-mail without a signature.\n"
    found = outline(
        [f"# Rules\n\nYou may:\n- Ring the customer at home in the evening.\n{item}\nNever:\n- Lend a van.\n{item}"]
    )
    assert not found.repeated
    found = outline([f"# Sending\n\n- Be brief to them.\n{item}\n# Post\n\n- Be kind to them.\n{item}"])
    assert len(found.repeated) == 2


GATES = range(5, 60)
RECORDS = {f"gate{n}": {"opens": f"{n}:15", "keys": [f"{n}-{k}" for k in range(30)]} for n in GATES}
LONG_DATA = {
    "one line": json.dumps(RECORDS),
    "one line with a start": "You are Odo.\n" + json.dumps(RECORDS),
    "many lines": json.dumps(RECORDS, indent=2),
    "in a fence": f"You are Odo.\n\n```json\n{json.dumps(RECORDS, indent=2)}\n```\nBe brief.",
    "in a fence, one line": f"You are Odo.\n\n```json\n{json.dumps(RECORDS)}\n```\nBe brief.",
    "an endless sentence": "You are Odo, "
    + ", ".join(f"gate{n} opens at {n}:15 on tour {k}" for n in range(5, 60) for k in "abcd"),
}


@pytest.mark.parametrize("text", LONG_DATA.values(), ids=LONG_DATA)
def test_data_is_cut_where_its_entries_end(text: str) -> None:
    """Data too long to be sent whole isn't left out whole: of what the question needs comes the part that says it."""
    found = outline([text])
    query = term_counts("When does gate41 open?")
    relevance = [Relevance(float("gate41" in section.text), 0.0, 0) for section in found.sections]
    sent = render(found, choose(core_of(found), relevance, query, budget_tokens=2_000))
    assert "gate41" in sent
    assert "41:15" in sent
    assert count_text(sent) < 2_100
    assert sent.count("```") == text.count("```")


def test_a_rule_after_a_fence_is_a_piece() -> None:
    """What follows a code fence on the next line stands for itself."""
    assert [piece.text for piece in pieces("```py\nrun()\n```\nNever run it twice.")] == [
        "```py\nrun()\n```\n",
        "Never run it twice.",
    ]
