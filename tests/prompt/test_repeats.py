"""What a prompt says twice is said once; what only looks alike stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.prompt.outline import EXAMPLES, clean, outline
from litellm_tokenopt.prompt.repeats import alike, repeats
from litellm_tokenopt.request import ChatRequest, text_of
from litellm_tokenopt.settings import PromptLevel
from litellm_tokenopt.stage import Change, Keep

from .conftest import TOPICS, section

RULE = "- Always cite the source and the date of each figure in the answer.\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RULE, RULE),
        (RULE, "* **Always** cite the source and the date of each figure in the answer!"),
        (RULE, "Please make sure you always cite the source and date of each figure in an answer."),
        (RULE, "3. The date and the source of each figure must be cited in the answer."),
        ("Never share passwords.", "Passwords must never be shared with anyone."),
        ("Do not share passwords.", "- You must **never** share a password!"),
        ("Never show customer addresses.", "You must never show a customer address to anybody."),
    ],
)
def test_the_same_in_other_words_is_a_repeat(one: str, other: str) -> None:
    """Markers, markup, courtesies, function words and the order of the rest make no difference."""
    assert repeats([("a", one), ("b", other)], near=True) == (("a", "b"),)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Refund up to 200 GBP on each order of a customer.", "Refund up to 250 GBP on each order of a customer."),
        (
            "Show card numbers of customers to the finance team.",
            "Don't show card numbers of customers to the finance team.",
        ),
        ("Agents must log each call of a customer at once.", "Agents may log each call of a customer at once."),
        (
            "Ask the team lead before the planner signs an order.",
            "Ask the planner before the team lead signs an order.",
        ),
        ("Enable the nightly backup of the orders database.", "Disable the nightly backup of the orders database."),
        ("Send the weekly stock report to Anna in Leeds.", "Send the weekly stock report to Jan in Leeds."),
        ("Keep it short.", "Keep it short."),
        ("Never share passwords.", "Always share passwords."),
        ("Never share passwords.", "You may share passwords."),
        ("Never share passwords.", "Never share passwords unless an admin asks."),
        ("Never share passwords.", "Never share addresses."),
        ("Never share our passwords.", "Never share your passwords."),
        ("Never lend 2 tents.", "Never lend 3 tents."),
        ("Agents must never call suppliers.", "Suppliers must never call agents."),
        ("Never sign before noon in Leeds.", "Never sign after noon in Leeds."),
        ("| a | b | c | d | e |\n|---|---|---|---|---|", "| a | b | c | d | e |\n|---|---|---|---|---|"),
    ],
)
def test_a_difference_that_tells_is_none(one: str, other: str) -> None:
    """Numbers, negations, duty, order, names and opposites tell; what is short may mean something else elsewhere."""
    assert repeats([("a", one), ("b", other)], near=True) == ()


def test_what_looks_alike_is_told_apart_from_repeats() -> None:
    """Pairs with many words in common are found, with their share; repeats are not among them."""
    texts = [
        "Refund at most 200 GBP on each order of one customer.",
        RULE,
        RULE,
        "Refund at most 250 GBP on each order of one customer.",
    ]
    assert [(a, b) for a, b, _ in alike(texts, 0.7)] == [(0, 3)]


@given(st.lists(st.text(alphabet="ab c.\n-1", max_size=40), max_size=12), st.booleans())
def test_groups_are_in_order_and_apart(texts: list[str], near: bool) -> None:
    """Each place is in one group at most, and each group in the order of the text."""
    groups = repeats(enumerate(texts), near=near)
    places = [place for group in groups for place in group]
    assert len(places) == len(set(places))
    assert all(list(group) == sorted(group) and len(group) > 1 for group in groups)


@pytest.mark.parametrize(
    ("level", "left"),
    [
        ("light", "## 🎯 **Goals**\n- ✅ do 🎉 this\n- 🚀 **ship** it"),
        ("normal", "## **Goals**\n- ✅ do 🎉 this\n- **ship** it"),
        ("strong", "## Goals\n- ✅ do 🎉 this\n- ship it"),
    ],
)
def test_decoration_goes_by_level(level: PromptLevel, left: str) -> None:
    """An emoji that opens a line goes, one that says yes or no, or stands amidst the text, stays."""
    assert clean("## 🎯 **Goals**\n- ✅ do 🎉 this\n- 🚀 **ship** it", level) == left


@pytest.mark.parametrize("level", ["light", "normal", "strong"])
def test_examples_beyond_the_first_few_are_surplus(level: PromptLevel) -> None:
    """Each section keeps the first few of its examples, as many as the level says."""
    examples = "\n\n".join(f"Example {n}: order {n} is late, so write to its customer." for n in range(6))
    found = outline([f"# Late orders\n\nWrite.\n\n{examples}\n"], level)
    assert len(found.surplus) == max(0, 6 - EXAMPLES[level])


async def test_a_prompt_that_fits_is_tidied(make_stage: Callable[..., PromptStage]) -> None:
    """What stands in several sections is said once, whatever the question; nothing else is lost, nothing is named."""
    prompt = "You help.\n\n" + "".join(f"{section(title, text)}{RULE}{RULE}" for title, text in TOPICS.items())
    stage = make_stage(budget_tokens=9_000)
    texts = set()
    for question in ("Who approves a refund?", "Hello"):
        messages = ({"role": "system", "content": prompt}, {"role": "user", "content": question})
        verdict = await stage(ChatRequest(model="m", messages=messages))
        assert isinstance(verdict, Change)
        assert verdict.reason == "tidied"
        assert isinstance(await stage(verdict.request), Keep)
        texts.add(text_of(verdict.request.messages[0]["content"]))
    (text,) = texts
    assert text.count(RULE.strip()) == 1
    assert [line for line in prompt.splitlines() if line.strip() and line not in text.splitlines()] == []
    assert "[" not in text


async def test_a_repeat_is_said_where_it_is_first_sent(make_stage: Callable[..., PromptStage]) -> None:
    """Of a rule that stands in all sections, one is sent, with whichever section is."""
    prompt = "You help.\n\n" + "".join(f"{section(title, text)}{RULE}\n" for title, text in TOPICS.items())
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": "Who approves a refund of 250 GBP?"})
    verdict = await make_stage()(ChatRequest(model="m", messages=messages))
    assert isinstance(verdict, Change)
    text = text_of(verdict.request.messages[0]["content"])
    assert TOPICS["Refunds"] in text
    assert text.count(RULE.strip()) == 1


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("## Goals 🎯", "## Goals"),
        ("Ship it on Monday. 🚀🎉", "Ship it on Monday."),
        ("React with 👍", "React with 👍"),
        ("It is done. ✅", "It is done. ✅"),
        ("First!🎉 ", "First!🎉 "),
        ("First.<br/>\n&nbsp;\nSecond. <br>", "First.\n\nSecond."),
        ("End each line with <br/>", "End each line with <br/>"),
        ("<br/>\n&nbsp;", ""),
    ],
)
def test_decoration_that_ends_a_line(written, left):
    """Emoji behind a heading or a sentence, breaks and hard spaces go; what a sentence speaks of stays."""
    assert clean(written) == left
