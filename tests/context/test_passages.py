"""Texts as passages, and written again without some of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.context.kinds import read
from litellm_tokenopt.context.passages import PASSAGE_CHARS, Gap

ROWS = [
    {"order": f"FH-{number:05d}", "total": 10.50 + number, "note": "left with a neighbour", "items": [1, 2, 3]}
    for number in range(60)
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=25,
)


def mark(gap: Gap) -> str:
    return f"<{gap.chars}>"


@given(st.text(max_size=3_000) | st.text(alphabet="ab. \n`~?!", max_size=3_000))
@settings(max_examples=80, deadline=None)
def test_all_passages_together_are_the_text(text: str) -> None:
    """Nothing is lost or changed by splitting."""
    document = read(text)
    kept = range(len(document.passages))
    if document.root.form == "text":
        assert document.render(kept, mark) == text
    else:
        assert json.loads(document.render(kept, mark)) == json.loads(text)


@given(json_values, st.sets(st.integers(0, 60)), st.sampled_from([None, 2]))
@settings(max_examples=120, deadline=None)
def test_json_stays_json(value: object, kept: set[int], indent: int | None) -> None:
    """A JSON container of which some passages are left out is still valid JSON."""
    text = json.dumps([value, ROWS[:8], {"log": "one line of it\n" * 60, "deep": {"rows": ROWS[8:14]}}], indent=indent)
    document = read(text)
    shortened = document.render(kept & set(range(len(document.passages))), lambda _: "[… 1 tokens left out]")
    assert isinstance(json.loads(shortened), list)


def test_rows_are_kept_verbatim_and_in_order() -> None:
    """Rows of a list are chosen whole: numbers and identifiers stay as they were written."""
    text = json.dumps(ROWS)
    document = read(text)
    wanted = [n for n, passage in enumerate(document.passages) if "FH-00007" in passage or "FH-00031" in passage]
    rows = json.loads(document.render(wanted, mark))
    kept = [row for row in rows if isinstance(row, dict)]
    assert {"FH-00007", "FH-00031"} <= {row["order"] for row in kept}
    assert all(row in ROWS for row in kept)
    assert [row for row in rows if isinstance(row, str)]


def test_numbers_keep_their_form() -> None:
    """1.50 doesn't become 1.5."""
    text = '{"a": [' + ", ".join('{"price": 1.50, "id": 12345678901234567890}' for _ in range(30)) + "]}"
    assert '"price": 1.50' in read(text).render([0], mark)


def test_code_fences_are_closed() -> None:
    """A code block that loses lines keeps its fences."""
    code = "".join(f"value_{n} = compute({n})  # step {n} of the plan\n" for n in range(60))
    document = read(f"Here it is:\n```python\n{code}```\nThat was all.\n")
    middle = next(n for n, passage in enumerate(document.passages) if "value_30 " in passage)
    shortened = document.render([middle], mark)
    assert shortened.count("```") == 2
    assert "value_30 = compute(30)" in shortened
    assert "value_3 = " not in shortened


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2", '{"a": }' * 100, "[" * 5_000, '{"a":' * 900 + "1" + "}" * 900, "x" * 10_000, "word " * 2_000],
)
def test_odd_texts_are_read(text: str) -> None:
    """Broken JSON, deep nesting and endless lines are text like any other."""
    document = read(text)
    assert all(len(passage) <= 2 * PASSAGE_CHARS or text.startswith('{"a":') for passage in document.passages)
    assert document.render(range(len(document.passages)), mark).replace(" ", "") == text.replace(" ", "")
