"""What a prompt says twice is said once; what only looks alike stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.prompt.decoration import clean
from litellm_tokenopt.prompt.examples import FIRST
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.prompt.rendering import render
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
        ("Always confirm before cancelling an order.", "Before you cancel an order, always confirm."),
        ("Summarise long notes in three points for the lead.", "Summarize long notes in three points for the lead."),
        (
            "In each answer to guests in Leeds, use metric units.",
            "Use metric units in every answer to guests in Leeds.",
        ),
        ("Angry guests must be sent to a human agent at once.", "Send angry guests to a human agent at once."),
        ("When travelling abroad, guests carry a passport.", "Guests carry a passport when travelling abroad."),
        ("Don't mention competitors.", "Under no circumstances mention a competitor."),
        ("Please make sure to log every call in the CRM.", "You have to log each call in the CRM."),
    ],
)
def test_the_same_in_other_words_is_a_repeat(one: str, other: str) -> None:
    """Markers, markup, courtesies, spelling, and what stands in front make no difference; nor does a passive."""
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
        ("Orders that were cancelled must be repaid in May.", "Orders that can be cancelled must be repaid in May."),
        ("All cancelled trips appear on the lead's account.", "Some cancelled trips appear on the lead's account."),
        ("Drivers rated below average get a warning letter.", "Drivers rating below average get a warning letter."),
        ("Process returns of damaged goods the same day.", "Process returned and damaged goods the same day."),
        ("Write `userId` into every report that you send.", "Write `userID` into every report that you send."),
        ("Agents rate guests every single week online.", "Guests rate agents every single week online."),
        ("Send all guests one mail about the delay today.", "Send each guest one mail about the delay today."),
        ("Only leads approve cancelled trips at night.", "Leads approve only cancelled trips at night."),
        ("Set the flag to on and the mode to off for guests.", "Set the mode to on and the flag to off for guests."),
        ("Ask the lead for refunds in every open case.", "For refunds in every open case, ask the lead."),
        ("If late, cancel the trip and refund the fare.", "Cancel the trip and refund the fare if late."),
        ("Report guests who left the ship at night.", "Report guests who leave the ship at night."),
        ("Guests may cancel at any time by mail.", "Guests may cancel by mail."),
        ("Hold paid orders until noon.", "Until noon, hold orders that are not paid."),
        ("Charge returned bikes with +5 % of the price.", "Charge returned bikes with -5 % of the price."),
        ("Never share logs unless guests ask for names.", "Share logs unless guests never ask for names."),
        ("Begin with ✅ where the booking of a guest is safe.", "Begin with ❌ where the booking of a guest is safe."),
        ("Always confirm it with the guest in writing.", "Always confirm it with the guest in writing."),
        ("This needs a second signature by the desk.", "This needs a second signature by the desk."),
        ("| a | b | c | d | e |\n|---|---|---|---|---|", "| a | b | c | d | e |\n|---|---|---|---|---|"),
    ],
)
def test_a_difference_that_tells_is_none(one: str, other: str) -> None:
    """Numbers, negations, duty, order, names, scope and conditions tell; what is short, or points back, stays."""
    assert repeats([("a", one), ("b", other)], near=True) == ()


@st.composite
def instructions(draw: st.DrawFn) -> tuple[str, str, str, str, str]:
    """How strictly it asks; what to do, and that as a participle; with what; where or when."""
    verb, done = draw(
        st.sampled_from(["share shared", "log logged", "cancel cancelled", "cite cited", "send sent", "label labelled"])
    ).split()
    what = draw(
        st.sampled_from(["guest passwords", "card numbers of guests", "passwords of 3 guests", "notes and orders"])
    )
    when = draw(
        st.sampled_from(["in German replies", "with partners", "after 20:00", "before a refund", "before no refund"])
    )
    return draw(st.sampled_from(["must", "never", "should", "may"])), verb, done, what, when


@st.composite
def wordings(draw: st.DrawFn, instruction: tuple[str, str, str, str, str]) -> str:
    """One of the ways to say an instruction."""
    duty, verb, done, what, when = instruction
    begin, passive = {
        "must": (["", "Always ", "You must ", "Please make sure you always ", "You have to "], "must be"),
        "never": (["Never ", "Do not ", "You must not ", "Don't ", "Under no circumstances "], "must never be"),
        "should": (["You should ", "The assistant should "], "should be"),
        "may": (["You may "], "may be"),
    }[duty]
    command = f"{draw(st.sampled_from(begin))}{verb} the {what}"
    said = [f"{command} {when}.", f"- **{command}** {when}", f"The {what} {passive} {done} {when}"]
    if "and" not in what and not when.startswith("with"):
        said.append(f"{when}, {command}.")
    chosen = draw(st.sampled_from(said))
    return chosen[0].upper() + chosen[1:]


@given(st.data())
def test_what_is_joined_asks_for_the_same(data: st.DataObject) -> None:
    """Two wordings are a repeat just where they ask for one thing: as strictly, of the same, under one condition."""
    one, other = data.draw(instructions()), data.draw(instructions())
    first, last = data.draw(st.sampled_from([(0, 0), (0, 1), (1, 3), (3, 4), (4, 5), (0, 5)]))
    other = (*one[:first], *other[first:last], *one[last:])
    texts = [("a", data.draw(wordings(one))), ("b", data.draw(wordings(other)))]
    assert bool(repeats(texts, near=True)) == (one == other)


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
    assert len(found.surplus) == max(0, 6 - FIRST[level])


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


@pytest.mark.parametrize("marker", ["- ", ""])
def test_a_repeat_before_a_table_is_one(marker: str) -> None:
    """The last line of a list, or of a paragraph, is none of the table that it runs straight into."""
    rule = f"{marker}**Never tell anyone the number of a customer's card.**\n"
    found = outline(
        [f"You help.\n\n# Post\n\n- Be kind to them.\n{rule}| a | b |\n|---|---|\n| 1 | 2 |\n\n# Desk\n\n{rule}"]
    )
    said = render(found, found.once())
    assert said.count("Never tell") == 1
    assert "| a | b |\n|---|---|\n| 1 | 2 |" in said


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
