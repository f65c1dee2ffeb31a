"""Kinds of text, told by their content, and what each of them keeps first."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tables import spread_out

from litellm_tokenopt.context import records
from litellm_tokenopt.context.kinds import condense, kind_of, read
from litellm_tokenopt.context.marks import MarksWithIds, PlainMarks, left_out
from litellm_tokenopt.context.passages import Document, Gap, Kind
from litellm_tokenopt.context.weighing import BLOB_CHARS, is_blob

LOG = "".join(
    f"2026-03-12T09:{n // 60:02d}:{n % 60:02d}Z INFO worker-{n % 3} parcel {10_000 + n} scanned in {n % 7} ms\n"
    for n in range(120)
)
LOG = LOG.replace("INFO worker-1 parcel 10046 scanned in 4 ms", "ERROR worker-1 parcel 10046: label printer refused")

CODE = '''import os
from pathlib import Path


class Ledger:
    """Keeps entries in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries = []

    def add(self, amount, note):
        if amount == 0:
            raise ValueError("nothing to add")
        self.entries.append((amount, note))
        self._write()

    def total(self):
        result = 0
        for amount, _ in self.entries:
            result += amount
        return result
'''

DIFF = """diff --git a/ledger.py b/ledger.py
index 1f3a9c2..8b7d001 100644
--- a/ledger.py
+++ b/ledger.py
@@ -10,9 +10,9 @@ class Ledger:
     def add(self, amount, note):
         if amount == 0:
-            raise ValueError("nothing to add")
+            return
         self.entries.append((amount, note))
         self._write()

     def total(self):
         result = 0
         for amount, _ in self.entries:
"""

PAGE = (
    "<!doctype html><html><head><title>Returns</title><style>.a{color:red}</style></head><body>"
    "<nav><ul><li><a href='/'>Home</a></li><li><a href='/shop'>Shop</a></li></ul></nav>"
    "<main><h1>Returns</h1><p>You may send goods back within <b>30 days</b>. "
    "See <a href='/terms'>the terms</a>.</p><table><tr><th>Item</th><th>Fee</th></tr>"
    "<tr><td>Tent</td><td>4.90</td></tr></table></main>"
    "<script>var tracking = 'x';</script><footer>Imprint</footer></body></html>"
)

SHELL = (
    "dev@box:~/shop$ make test\n" + "".join(f"collecting module_{n} ... ok\n" for n in range(30)) + "exit status 2\n"
)

PROSE = "The tent came on Monday. It rained all night, and in the morning the pegs were gone. " * 8

ROWS = [{"order": f"FH-{n:05d}", "total": 10.5 + n % 3, "state": "paid"} for n in range(40)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (LOG, "log"),
        (CODE, "code"),
        (DIFF, "diff"),
        (PAGE, "markup"),
        (SHELL, "shell"),
        (PROSE, "prose"),
        (json.dumps(ROWS), "json"),
        ("# Plan\n\n" + PROSE + "\n- first\n- second\n", "prose"),
        ("Use it so:\n\n```python\n" + CODE + "```\n", "prose"),
    ],
)
def test_a_kind_is_told_by_content(text: str, kind: Kind) -> None:
    """Neither a tool's name nor a file's is needed."""
    assert kind_of(text) == kind


def best(document: Document, count: int) -> str:
    """What is kept of a text when nothing is asked: its *count* weightiest passages."""
    order = sorted(range(len(document.passages)), key=lambda n: -document.weights[n])
    return document.render(sorted(order[:count]), lambda gap: left_out(0, gap.chars // 4, gap.count, gap.what))


def test_of_a_log_the_errors_and_the_ends_stay() -> None:
    """Lines of one template go first, and the mark says how many they were."""
    kept = best(read(LOG), 4)
    assert "label printer refused" in kept
    assert kept.startswith(LOG.splitlines()[0])
    assert LOG.splitlines()[-1] in kept
    assert "lines]" in kept
    assert len(kept) < len(LOG) / 4


def test_of_code_the_signatures_stay() -> None:
    """Bodies go before signatures."""
    kept = best(read(CODE), 4)
    assert "class Ledger:" in kept
    assert "def total(self):" in kept
    assert "result += amount" not in kept


def test_of_a_patch_the_changes_stay() -> None:
    """Unchanged lines go before changed ones."""
    kept = best(read(DIFF), 3)
    assert '-            raise ValueError("nothing to add")' in kept
    assert "+            return" in kept
    assert "for amount, _ in" not in kept


def test_of_a_page_the_text_stays() -> None:
    """No scripts, styles or navigation; headings, tables and links are written as text."""
    document = read(PAGE)
    text = document.render(range(len(document.passages)), lambda _: "")
    assert "# Returns" in text
    assert "30 days" in text
    assert "(/terms)" in text
    assert "Tent | 4.90" in text
    assert not [word for word in ("tracking", "color:red", "Home", "Imprint") if word in text]


def test_of_a_terminal_the_commands_and_failures_stay() -> None:
    """What was run, and how it ended."""
    kept = best(read(SHELL), 2)
    assert "make test" in kept
    assert "exit status 2" in kept


def test_rows_that_stand_out_stay() -> None:
    """An error, a number far off, a rare value: those are what a table is read for."""
    rows = [dict(row) for row in ROWS]
    rows[7]["state"], rows[19]["total"], rows[30]["order"] = "disputed", 9_999.0, "lookup failed"
    kept = json.loads(best(read(condense(json.dumps(rows))), 3))
    assert kept["columns"] == ["order", "total", "state"]
    assert [list(rows[n].values()) for n in (7, 19, 30)] == [row for row in kept["rows"] if isinstance(row, list)]
    assert [row for row in kept["rows"] if isinstance(row, str)]


def test_blobs_go_first() -> None:
    """Base64 says nothing to a reader."""
    text = f"Here is the scan:\n{'iVBORw0KGgoAAAANSUhEUgAA' * 60}\nIt shows a tent.\n"
    document = read(text)
    kept = [n for n, weight in enumerate(document.weights) if weight >= 0]
    assert document.render(kept, lambda gap: f"[{gap.chars}]\n").startswith("Here is the scan:\n[1441]")


@given(st.lists(st.text("ab+ \n\t", max_size=200), max_size=4).map(lambda runs: "x".join(runs) + "k" * 150))
def test_a_blob_is_a_long_string_that_is_most_of_a_text(text: str) -> None:
    """Whatever divides the others: blanks, tabs or line breaks."""
    long = [word for word in text.split() if len(word) >= BLOB_CHARS]
    assert is_blob(text) == (sum(map(len, long)) > len(text) / 2)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=20,
)
facts = st.fixed_dictionaries({"id": st.integers(0, 3), "name": st.text(max_size=9), "price": json_values})
alike = st.fixed_dictionaries(
    {"id": st.integers() | st.sampled_from(records.ABSENT), "of": facts | st.none()},
    optional={"tags": json_values, "note": st.none() | st.text(max_size=3)},
)
rows = st.lists(alike, max_size=9) | st.lists(st.lists(alike, min_size=1, max_size=3), max_size=4)
keyed = st.dictionaries(st.text(max_size=4), alike, max_size=6)


@given(json_values, rows, keyed, st.sampled_from([None, 1, 4]))
@settings(max_examples=250, deadline=None)
def test_condensed_json_says_the_same(value: object, listed: object, by_key: object, indent: int | None) -> None:
    """Every value is still there, under its name; condensing it again changes nothing."""
    given_ = {"value": value, "listed": listed, "keyed": by_key, "filler": "word " * 100}
    text = json.dumps(given_, indent=indent)
    short = condense(text)
    assert spread_out(json.loads(short)) == given_
    assert len(short) <= len(text)
    assert condense(short) == short


def test_rows_that_lack_members_are_a_table_too() -> None:
    """What a row lacks is told from null, and from a text that says the same."""
    rows = [{"order": f"FH-{n:05d}", "total": n + 0.5, "coupon": f"SPRING{n}"} for n in range(12)]
    del rows[3]["coupon"]
    rows[5]["coupon"] = None  # type: ignore[assignment]
    rows[7]["coupon"] = "-"
    rows[9]["refund"] = {"by": "card", "on": "2026-05-01"}  # type: ignore[assignment]
    short = json.loads(condense(json.dumps(rows)))
    assert short["columns"] == ["order", "total", "coupon", "refund.by", "refund.on"]
    assert short["absent"] == "~"
    assert [row[2] for row in short["rows"]][2:8] == ["SPRING2", "~", "SPRING4", None, "SPRING6", "-"]
    assert short["rows"][9][3:] == ["card", "2026-05-01"]
    assert spread_out(short) == rows


def test_rows_with_nothing_in_common_are_no_table() -> None:
    """A table of holes would be harder to read than what it stands for."""
    rows = [{f"{key}{n}": n for key in ("amount", "total", "count")} for n in range(30)]
    assert json.loads(condense(json.dumps(rows))) == rows


def test_a_row_with_what_others_lack_stands_out() -> None:
    """Of optional members a rare one is what its row is read for, a number among gaps too."""
    rows = [{"order": f"FH-{n:05d}", "weight": 2 + n % 3} for n in range(40)]
    for row in rows[::2]:
        del row["weight"]
    rows[16]["hold"], rows[27]["weight"] = "customs", 900
    kept = best(read(condense(json.dumps(rows))), 4)
    assert "customs" in kept
    assert "FH-00027" in kept


def test_lines_of_objects_are_one_table() -> None:
    """A structured log names its fields once."""
    rows = [{"ts": f"09:00:{n:02d}", "level": "info", "pod": f"web-{n % 4}"} for n in range(30)]
    rows[11] |= {"level": "error", "cause": "no such image"}
    text = "\n".join(map(json.dumps, rows)) + "\n"
    assert spread_out(json.loads(condense(text))) == rows
    assert len(condense(text)) < 0.7 * len(text)
    for broken in (text[:-3], text.replace("}\n{", "}\n\n{", 1), text.replace('"web-0"}', '"web-0"} retry', 1)):
        assert condense(broken) == broken


def test_numbers_keep_their_form() -> None:
    """1.50 doesn't become 1.5, in a table either."""
    text = json.dumps([{"price": f"PRICE{n}", "id": 12345678901234567890 + n} for n in range(30)])
    text = re.sub(r'"PRICE\d+"', lambda match: f"1.{len(match[0]) - 7}0", text)
    assert '{"columns":["price","id"],"rows":[[1.10,12345678901234567890],' in condense(text)


def test_tables_say_names_and_common_values_once() -> None:
    """Members of members have columns, groups stay groups, and keys that a row says again are said once."""
    ways = [
        [{"flight": f"HX{n}{leg}", "on": "2026-05-01", "fare": {"eco": 70 + n, "first": 200 + leg}} for leg in range(2)]
        for n in range(2)
    ]
    assert json.loads(condense(json.dumps(ways))) == {
        "all_rows": {"on": "2026-05-01"},
        "columns": ["flight", "fare.eco", "fare.first"],
        "groups": [[["HX00", 70, 200], ["HX01", 70, 201]], [["HX10", 71, 200], ["HX11", 71, 201]]],
    }
    variants = {f"77{n}": {"variant_id": f"77{n}", "colour": "red", "price": 9.5 + n} for n in range(6)}
    assert json.loads(condense(json.dumps(variants))) == {
        "keyed_by": "variant_id",
        "all_rows": {"colour": "red"},
        "columns": ["variant_id", "price"],
        "rows": [[f"77{n}", 9.5 + n] for n in range(6)],
    }


@pytest.mark.parametrize("text", ['{"a": ' * 400 + "1" + "}" * 400, '["\\ud800", "' + "x" * 300 + '"]', "[1, " * 900])
def test_odd_json_is_no_trouble(text: str) -> None:
    """Depth, and halves of characters, which stay escaped."""
    condense(text).encode()


@given(st.text(alphabet="ab \x1b[0m31;\r\n%|", max_size=200) | st.just("\x1b\x1b[0m[0mred"))
def test_a_screen_is_what_was_left_on_it(text: str) -> None:
    """No escape codes and no overwritten progress stay; a second time there's nothing more to do."""
    assert condense(condense(text)) == condense(text)


@pytest.mark.parametrize(
    "line",
    [
        "word " * 20_000 + "\r\n",
        "\r" * 100_000,
        "." * 100_000 + "!",
        "2026-05-01T00:00:00 INFO " + "0" * 100_000 + "g",
        "root@" + ".a" * 50_000 + "\t!",
        "call(" * 20_000 + ")x",
        "0" + " " * 100_000 + "g",
        "<main>" + "<b> </b>" * 12_000 + "</main>",
    ],
    ids=range(8),
)
def test_long_lines_are_read_once(line: str) -> None:
    """The time to read one line grows with its length, not with its square: that would stop every thread."""
    start = time.process_time()
    read(condense("\n".join((line, *["2026-05-01T00:00:01 INFO short"] * 9))))
    assert time.process_time() - start < 2  # up to 60 ms; a minute and more where each character is a beginning


def test_progress_bars_leave_their_last_state() -> None:
    """Of what a terminal overwrote, the last is kept."""
    assert condense("\x1b[32mfetching\x1b[0m\n 10 %\r 55 %\r100 %\ndone\r\n") == "fetching\n100 %\ndone\r\n"
    bar = "\r".join(f"{n:3d}%|{'#' * (n // 10):10s}| {n}/100 MB" for n in range(101))
    assert condense(f"get model\r{bar}\rsaved to /tmp/m.bin\rchecksum differs") == (
        "get model\n100%|##########| 100/100 MB\nsaved to /tmp/m.bin\nchecksum differs"
    )
    assert condense("\r".join(f"{turn} linking" for turn in "|/-\\" * 9) + "\rlinked\n") == "\\ linking\nlinked\n"


def test_returns_alone_end_lines_too() -> None:
    """What no later state of the same progress takes the place of is a line."""
    lines = [f"2026-03-12 09:00:{n:02d} INFO step {n}/60 done in {n % 9} ms" for n in range(60)]
    lines[40] = "2026-03-12 09:00:40 ERROR step 40/60: disk full"
    assert condense("\r".join(lines)) == "\n".join(lines)
    assert condense("\r".join(("one line", "another", "a third"))) == "one line\nanother\na third"
    assert kind_of(condense("\r".join(lines))) == kind_of("\r".join(lines)) == "log"


def test_marks_say_how_much_of_what_was_left_out() -> None:
    """Rows and lines are counted."""
    assert left_out(4, 120, 37, "rows") == "[… m5: 120 tokens left out: 37 rows]"
    assert left_out(4, 120, 0, "") == "[… m5: 120 tokens left out]"
    assert [MarksWithIds().gap(4, 4), MarksWithIds().gap(4, 8), PlainMarks().gap(4, 8)] == [
        "[… m5]",
        "[… m5-m9]",
        "[…]",
    ]
    assert Gap(10).what == ""
