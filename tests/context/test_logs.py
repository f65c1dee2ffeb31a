"""Logs and terminals' output: what repeats is said once, with how often and what varies; what stands out stays."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.context.kinds import read
from litellm_tokenopt.context.logs import weigh_log
from litellm_tokenopt.context.marks import left_out
from litellm_tokenopt.context.passages import Document


def at(second: int) -> str:
    return f"2026-03-12T09:{second // 60 % 60:02d}:{second % 60:02d}Z"


def best(document: Document, count: int) -> str:
    """What is kept when nothing is asked: the *count* weightiest passages."""
    order = sorted(range(len(document.passages)), key=lambda n: -document.weights[n])
    return document.render(frozenset(order[:count]), lambda gap: left_out(0, gap.chars // 4, gap.count, gap.what))


SHOP = [
    f"{at(n)} INFO picker-{n % 3} parcel {10_000 + n} scanned in {n % 7} ms" if n % 3 else
    f"{at(n)} DEBUG http GET /shelves/{n % 40} {200 if n != 99 else 418} took {n % 50 + 3} ms"
    for n in range(240)
]  # fmt: skip
SHOP[100] = f"{at(100)} WARN label printer 2 is low on paper"
SHOP[150:150] = [
    f"{at(150)} ERROR parcel 10150 lost",
    "Traceback (most recent call last):",
    '  File "/srv/shop/belt.py", line 31, in move',
    "    shelf = shelves[number]",
    "KeyError: 41",
]
SHOP[200] = f"{at(200)} DEBUG http GET /shelves/7 200 took 48211 ms"
LOG = "\n".join(SHOP) + "\n"


def test_lines_of_one_template_are_said_once_with_their_count() -> None:
    """The first of them is there word for word, with how many there are, until when, and what varies in them."""
    kept = best(read(LOG), 12)
    lines = kept.splitlines()
    first = lines.index(SHOP[1])
    assert lines[first + 1] == (
        f"[159 lines like this, until {at(239)}: picker-1 x79 / 2 x80, parcel 10001…10239, in 0…6 ms]"
    )
    assert re.search(r"\[80 lines like this, until \S+Z: /shelves/0…39, 200 x79 / 418 x1, took 3…48211 ms\]", kept)
    assert len(kept) < len(LOG) / 6


def test_what_went_wrong_stands_word_for_word_between_the_first_line_and_the_last() -> None:
    """Errors with their traces, warnings, a rare status, a time far off, in the order of the log."""
    kept = best(read(LOG), 12).splitlines()
    wanted = [SHOP[0], SHOP[99], SHOP[100], *SHOP[150:155], SHOP[200], SHOP[-1]]
    assert [line for line in kept if line in wanted] == wanted


def test_words_that_vary_are_one_template() -> None:
    """Names of users, tests or pages are no reason to say a line again."""
    names = ["amal", "bo", "chen", "dita", "emre"]
    lines = [f"{at(n)} INFO mail sent to {names[n % 5]} about order {n}\n" for n in range(60)]
    lines += [f"{at(60 + n)} INFO {page} page shown in {n} ms\n" for n, page in enumerate(("cart", "help", "home"))]
    kept = best(read("".join(lines)), 6)
    assert (
        f"[60 lines like this, until {at(59)}: to amal x12 / bo x12 / chen x12 / dita x12 / emre x12, order 0…59]"
        in kept
    )
    assert kept.count("page shown") == 3


def test_words_of_failure_are_no_slot() -> None:
    """ "passed" and "failed" differ in one word alone, and in all that matters."""
    words = ["passed", "skipped", "pending", "slow", "retried", "failed"]
    lines = [f"check {n} of the nightly run {words[n % 5] if n != 33 else words[5]}\n" for n in range(60)]
    assert "check 33 of the nightly run failed" in best(read("".join(lines)), 4)


def test_failures_in_many_words_stay() -> None:
    """Also where the word of failure is what differs."""
    words = ["failed", "aborted", "refused", "denied", "forbidden"]
    lines = [f"{at(n)} INFO lift {n} is up\n" for n in range(60)]
    lines[20:20] = [f"{at(20)} INFO lift {n} was {word}\n" for n, word in enumerate(words)]
    kept = best(read("".join(lines)), 8)
    assert all(f"was {word}" in kept for word in words)


def test_commands_stay_however_often_they_are_given() -> None:
    """They tell what the output is of."""
    shell = "".join(f"dev@box:~/shop$ make part-{n}\n" + f"compiling unit {n} of 9 ... ok\n" * 6 for n in range(8))
    kept = best(read(shell), 12)
    assert [line for line in kept.splitlines() if "$ make" in line] == [
        f"dev@box:~/shop$ make part-{n}" for n in range(8)
    ]


def test_logs_inside_json_too() -> None:
    """Tools often wrap a terminal's output into an object."""
    document = read(json.dumps({"exit_code": 1, "stdout": LOG}))
    found = json.loads(best(document, 14))
    assert "159 lines like this" in found["stdout"]
    assert "ERROR parcel 10150 lost" in found["stdout"]


WORDS = st.sampled_from(
    [
        "INFO",
        "ERROR",
        "load",
        "0x1f",
        "a\0b",
        "a1b",
        "12",
        "3.5",
        "a1b2c3d4",
        "10.0.0.1",
        "[==> ]",
        "$",
        "\t",
        "=",
        "no",
    ]
)
LINES = st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=40)


@given(LINES, st.sets(st.integers(0, 60)))
@settings(max_examples=200, deadline=None)
def test_any_lines_stay_as_they_are(some: list[str], kept: set[int]) -> None:
    """All passages together are the log; what is kept is verbatim, and a count is true."""
    lines = [f"{at(n)} {line}\n" for n, line in enumerate(some)]
    weighed = list(weigh_log(lines))
    assert [line.text for line in weighed] == lines
    document = read("".join(lines))
    assert document.render(range(len(document.passages)), lambda _: "") == "".join(lines)
    written = document.render(kept, lambda _: "")
    rest = [line for line in written.splitlines(keepends=True) if not re.match(r"\[[\d,]+ lines like this|\n", line)]
    assert [line for line in lines if line in rest] == rest
    counts = [int(found[1]) for line in weighed if (found := re.match(r"\[(\d+) lines", line.note))]
    assert sum(counts) <= len(lines)
    assert all(count >= 3 for count in counts)


@pytest.mark.parametrize("text", ["\n" * 500, "x\n" * 500, "INFO\n" * 500, f"{at(0)} {'9 ' * 5_000}\n" * 8])
def test_odd_logs_are_read(text: str) -> None:
    """Empty lines, one word, thousands of numbers in a line."""
    document = read(text)
    assert document.render(range(len(document.passages)), lambda _: "") == text
