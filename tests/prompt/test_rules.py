"""Rules that stand in sections about something else are sent too, without the rest of these."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.models.training.commands import HELD_OUT
from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.prompt.choice import beyond_budget, choose, core_of
from litellm_tokenopt.prompt.coupling import couple
from litellm_tokenopt.prompt.duties import binds, strength
from litellm_tokenopt.prompt.governing import Standing
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.prompt.ranking import Relevance
from litellm_tokenopt.prompt.rendering import render
from litellm_tokenopt.prompt.wordings import COMMANDED, NONE
from litellm_tokenopt.request import ChatRequest, text_of
from litellm_tokenopt.stage import Change
from litellm_tokenopt.tokens import count_text

from .conftest import long_prompt

GOODS = (
    "Kayaks", "Tents", "Stoves", "Ropes", "Boots", "Lamps", "Maps", "Gloves", "Skis", "Sleds",
    "Bikes", "Helmets", "Knives", "Bottles", "Rafts", "Bags", "Mats", "Poles", "Radios", "Shovels",
)  # fmt: skip
RULES = (
    "Never share a password with anybody.",
    "You must answer in the language of the person who asks.",
    "Always give the date of a figure that you quote.",
    "Personal data must never leave the company.",
)
STEPS = "\n".join(f"- Step {n}: look at entry {n * 7}, note its outcome and tell the office." for n in range(9))
PLAIN = "The goods come from the north on the first day of the month. They are counted by two people."


def title_of(n: int) -> str:
    return GOODS[n % 20] if n < 20 else f"{GOODS[n % 20]} {n // 20}"


def rule_of(n: int) -> str:
    """The rule of the n-th section: one that holds for all, or one about what the section is about."""
    if n in (4, 9, 14, 19):
        return RULES[n // 5]
    return f"Requests for {title_of(n).lower()} over {n * 40} GBP must be signed."


def written(n: int) -> str:
    """The rule amid a paragraph, in a list, or as a paragraph of its own."""
    rule = rule_of(n)
    body = (f"{PLAIN} {rule} {PLAIN}", f"- {PLAIN}\n- {rule}\n- {PLAIN}", f"{PLAIN}\n\n{rule}")[n % 3]
    return f"## {title_of(n)}\n\n{body}\n\n{STEPS}\n\n"


OPENING = "You are Alder, an assistant of a shop.\n\n"
PROMPT = OPENING + "".join(written(n) for n in range(20))


async def sent(stage: PromptStage, prompt: str, question: str) -> str:
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": question})
    verdict = await stage(ChatRequest(model="m", messages=messages))
    assert isinstance(verdict, Change)
    return text_of(verdict.request.messages[0]["content"])


@pytest.mark.parametrize("question", ["How are skis waxed?", "Hello"])
async def test_rules_of_sections_left_out_are_sent(make_stage: Callable[..., PromptStage], question: str) -> None:
    """All of them, under their headings, and of those sections hardly more; within the budget."""
    out = await sent(make_stage(budget_tokens=2_500), PROMPT, question)
    assert [rule_of(n) for n in range(20) if rule_of(n) not in out] == []
    assert count_text(out) <= 2_500 < count_text(PROMPT)
    assert out.count("look at entry") < 20 * 9 / 2


async def test_what_holds_beyond_its_heading_comes_first(make_stage: Callable[..., PromptStage]) -> None:
    """Where there isn't room for all, rules about their section's subject stay with that section."""
    prompt = OPENING + "".join(written(n) for n in reversed(range(100)))
    out = await sent(make_stage(budget_tokens=1_600), prompt, "How are skis waxed?")
    assert [rule for rule in RULES if rule not in out] == []
    assert sum(rule_of(n) in out for n in range(100)) < 80


async def test_must_and_never_come_before_other_words(make_stage: Callable[..., PromptStage]) -> None:
    """What is forbidden or demanded in other words is sent too, but takes no room from what says must or never."""
    desks = OPENING + "".join(f"{written(n)}Lending at desk {n} is prohibited.\n\n" for n in reversed(range(100)))
    roomy = await sent(make_stage(budget_tokens=9_000), desks, "How are skis waxed?")
    tight = await sent(make_stage(budget_tokens=1_600), desks, "How are skis waxed?")
    assert roomy.count("is prohibited") > 60
    assert [rule for rule in RULES if rule not in tight] == []


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (RULES[0], True),
        ("Under no circumstances are prices told to others.", True),
        ("DO NOT delete a file that you didn't make.", True),
        ("- Do not lend anything to children.", True),
        ("Niemals Preise an Dritte nennen.", True),
        ("Customers who do not pay in time get a letter.", False),
        ("Never call more than two tools at once.", True),
        ("Always use the search tool for prices.", False),
        ("Goods come on Mondays.", False),
        ("It is forbidden to lend knives.", True),
        ("You are not allowed to open parcels.", True),
        ("At no time disclose what a customer earns.", True),
        ("- Refuse to talk about politics.", True),
        ("Replies shall not exceed ninety words.", True),
        ("You can't quote staff by name.", True),
        ("Some customers refuse to pay, and some can't.", False),
        ("```\n# never do this\n```", False),
        ("Only staff with a badge may open the cage.", True),
        ("Addresses have to be read back.", True),
        ('  "rule": "Passport numbers must never be repeated.",', True),
        ('  "Do not lend keys.",', True),
        ('- "I must cancel my order"', False),
        ("Refunds in cash: strictly prohibited.", True),
        ("It is illegal to keep card codes.", True),
        ("Treat what patients say as confidential.", True),
        ("Our must-have accessory is the travel adapter.", False),
        ("Auskünfte über Löhne sind verboten.", True),
        ("Il est interdit de communiquer le code.", True),
        ("绝对不能透露客户资料。", True),
        ("No reply without the number of the order.", True),
        ("Refunds above 200 EUR require a manager's approval.", True),
        ("| cash | Paying out in cash is not allowed. |", True),
        ("A case isn't closed until its owner has agreed.", True),
        ("The file must have been written by the job before.", False),
        ("Customers who have to travel book early.", False),
        ("In 2016 drivers were not allowed in.", False),
        ("If a parcel has to be split, it gets two numbers.", False),
        ("Visitors do not have to register.", False),
        ("Do I have to come in person?", False),
        ('He wrote "you must pay at once" and left.', False),
    ],
)
def test_a_rule_that_can_stand_by_itself(text: str, is_one: bool) -> None:
    """It says what must always or never be done, little else, and nothing of one tool."""
    assert binds(text) == is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Stick to facts from the manual.", True),
        ("Stay away from the ledger, whoever asks.", True),
        ("Löhne sind geheim zu halten.", True),
        ("Ne donnez aucune adresse.", True),
        ('{"tone": "speak to guests in their own language", "room": 12}', True),
        ('{"rules": ["Decline any request to open a safe"], "open": "09:00"}', True),
        ("Click Next, then Finish.", False),
        ("The ferry leaves from pier four at six.", False),
        ("Il treno arriva alle otto.", False),
        ('{"name": "The kiosk at the station", "open": "09:00-17:00"}', False),
    ],
)
def test_commands_are_told_from_steps_and_facts(text: str, is_one: bool) -> None:
    """In other words than those of obligation, other languages, and in a line of data."""
    assert (strength(text) != NONE) == is_one


async def test_commands_about_something_else_are_sent(make_stage: Callable[..., PromptStage]) -> None:
    """Those that no question about their section would bring, within the budget."""
    command = "Stick to facts from the manual."
    prompt = OPENING + "".join(f"## {title_of(n)}\n\n{PLAIN}\n\n{STEPS}\n\n" for n in range(12))
    prompt += f"## Ropes and knots\n\n{PLAIN}\n\n{command}\n\n{STEPS}\n\n## Last\n\n{PLAIN * 3}\n"
    out = await sent(make_stage(budget_tokens=900), prompt, "How are skis waxed?")
    assert command in out
    assert count_text(out) <= 900


@pytest.mark.parametrize("name", ["lend_item", "lendItem", "`lend`"])
async def test_a_rule_that_names_a_tool_is_about_that(name: str) -> None:
    """Of the tools of the request, that is; it comes with its section. Other names are names like any."""
    section = f"## Handing over\n\n{STEPS}\n\nNever call {name} before the goods leave the shelf.\n\n"
    found = outline([f"{long_prompt()}{section}## Parting\n\n{PLAIN * 5}\n"])
    (rule,) = [place for place in core_of(found).duties if name in found.profiles[place[0]].blocks[place[1]].text]
    assert couple(found, frozenset({name.strip("`")}), [rule]).rules == {rule}
    assert couple(found, frozenset({"other_tool"}), [rule]).rules == frozenset()
    even = [Relevance(0.0, 0.0, 0)] * len(found.sections)
    for barred, is_sent in ((frozenset({rule}), False), (frozenset[tuple[int, int]](), True)):
        picked = choose(core_of(found), even, {}, budget_tokens=1_400, standing=Standing(about_tools=barred))
        assert (rule in picked) == is_sent


MANY = tuple(f"Nobody may lend out the {colour} {thing}." for colour in ("red", "blue", "grey") for thing in GOODS)


async def test_rules_are_sent_beyond_the_budget(
    make_stage: Callable[..., PromptStage], caplog: pytest.LogCaptureFixture
) -> None:
    """All of them, which the reason tells, and the log once."""
    prompt = OPENING + "".join(f"## Place {n}\n\n{PLAIN} {rule}\n\n{STEPS}\n\n" for n, rule in enumerate(MANY))
    stage = make_stage(budget_tokens=300)
    for question in ("How are skis waxed?", "Who is in the office?"):
        messages = ({"role": "system", "content": prompt}, {"role": "user", "content": question})
        verdict = await stage(ChatRequest(model="m", messages=messages))
        assert isinstance(verdict, Change)
        assert verdict.reason == "core_over_budget"
        assert int(verdict.detail["beyond_budget"]) > 0
        out = text_of(verdict.request.messages[0]["content"])
        assert [rule for rule in MANY if rule not in out] == []
    assert sum("prompt.budget_tokens is 300" in line for line in caplog.messages) == 1


def test_so_many_rules_do_not_all_come() -> None:
    """Of a prompt that is nothing else some thousand tokens are sent, and what must be before other words."""
    rules = [
        f"The {m} {n} of the hall {'must be' if n % 2 else 'is to be'} looked at by two of us."
        for m in GOODS
        for n in range(40)
    ]
    found = outline([OPENING + "".join(f"## Hall {n}\n\n{' '.join(rules[n::40])}\n\n" for n in range(40))])
    picked = choose(core_of(found), [Relevance(0.0, 0.0, 0)] * len(found.sections), {}, budget_tokens=500)
    sent = render(found, picked)
    assert count_text(sent) <= 4_200
    assert sent.count("must be") > 2 * sent.count("is to be")


def desk(n: int) -> str:
    """A section with a rule about its subject and, in every second one, a rule that holds for all."""
    name = title_of(n).lower()
    beyond = f" Never tell a caller's address to anybody ({n})." if n % 2 else ""
    return f"## {title_of(n)}\n\n{PLAIN} Never lend {name} without a slip for {name}.{beyond}\n\n{STEPS}\n\n"


GENERAL = (
    "## Safety\n\nPeople come before goods.\n\n## Output format\n\nOne paragraph, then the number of the case.\n\n"
)


@given(
    sections=st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True),
    budget=st.integers(1, 6_000),
    scores=st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
def test_no_budget_leaves_out_the_core(sections: list[int], budget: int, scores: list[float]) -> None:
    """The same rules beyond their subjects, and the same general sections, are sent at every question; the budget is
    exceeded by so much as is told, and not else."""
    found = outline([OPENING + GENERAL + "".join(map(desk, sections)) + GENERAL])
    core = core_of(found)
    whole = frozenset((i, b) for i, one in enumerate(found.profiles) for b in range(len(one.blocks)))
    for score in scores:
        even = [Relevance(score if i % 3 else 0.0, 0.0, 0) for i in range(len(found.sections))]
        picked = choose(core, even, {"lend": 1.0}, budget_tokens=budget)
        sent = render(found, picked)
        assert [n for n in sections if n % 2 and f"({n})" not in sent] == []
        assert "People come before goods." in sent
        assert "One paragraph, then" in sent
        beyond = beyond_budget(core, budget_tokens=budget)
        assert picked == whole or count_text(sent) <= budget + beyond


@pytest.mark.parametrize(
    ("body", "needed"),
    [
        (f"{PLAIN}\n\nA slip of the {{}} desk is yellow. It must be signed. {PLAIN}", "is yellow. It must be signed."),
        ("Staff may not:\n- sleep here.\n- sing to guests at the {} desk.", "may not:"),
        ("### What is never told to guests\n\n- The code of the {} desk.\n", "never told to guests"),
    ],
)
async def test_a_rule_comes_with_what_it_refers_to(
    make_stage: Callable[..., PromptStage], body: str, needed: str
) -> None:
    """The sentence before it, the line that announces it, or its heading."""
    desks = "".join(f"## {name}\n\n{STEPS}\n\n{body.format(name.lower())}\n\n{STEPS}\n\n" for name in GOODS[:9])
    out = await sent(make_stage(budget_tokens=900), OPENING + desks, "How are skis waxed?")
    assert out.count(needed) == 9
    assert sum(f"{name.lower()} desk" in out for name in GOODS[:9]) == 9


def test_unusual_words_are_told_by_the_classifier() -> None:
    """Of rules that were written to be missed, words find three in ten, with the classifier eight, mostly rightly."""
    rows = [json.loads(line) for line in HELD_OUT.read_text(encoding="utf-8").splitlines()]
    told = [(strength(row["text"]), row["rule"]) for row in rows]
    rules = sum(is_rule for _, is_rule in told)
    found = [is_rule for duty, is_rule in told if duty != NONE]
    assert sum(is_rule for duty, is_rule in told if duty > COMMANDED) >= 0.29 * rules
    assert sum(found) >= 0.8 * rules
    assert sum(found) >= 0.87 * len(found)
