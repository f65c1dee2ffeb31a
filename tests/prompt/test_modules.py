"""What users' modules say holds for the spans of the prompt that they stand for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.counting import count_request
from support.vectors import HashedWords

from litellm_tokenopt.additions import HEAD
from litellm_tokenopt.models.intents import Intent
from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.request import ChatRequest, text_of
from litellm_tokenopt.settings import PromptSettings
from litellm_tokenopt.stage import Change

from .conftest import TOPICS

Make = Callable[..., PromptStage]

TEXTS = {title: f"## {title}\n\n{text}\n" for title, text in TOPICS.items()}
PROMPT = "You are Alder.\n\n" + "\n".join(TEXTS.values())
"""About 400 tokens."""


def module(title: str, **fields: Any) -> dict[str, Any]:
    return {"id": title.lower().replace(" ", "-"), "text": TEXTS[title], **fields}


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def ask(*questions: str, tools: Sequence[str] = ()) -> ChatRequest:
    messages: list[dict[str, Any]] = [{"role": "system", "content": PROMPT}]
    for question in questions:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": "All right."}]
    return ChatRequest(model="m", messages=tuple(messages[:-1]), tools=tuple(map(tool, tools)))


def sections(request: ChatRequest) -> set[str]:
    """Titles of the sections whose text is sent in the system prompt."""
    text = text_of(request.messages[0]["content"])
    return {title for title, body in TOPICS.items() if body in text}


async def sent(stage: PromptStage, request: ChatRequest) -> ChatRequest:
    verdict = await stage(request)
    return verdict.request if isinstance(verdict, Change) else request


@pytest.mark.parametrize(
    ("when", "question", "tools", "comes"),
    [
        ({"words": ["gift card"]}, "Can I pay with gift cards?", [], True),
        ({"words": ["gift card"]}, "Can I pay with a credit card?", [], False),
        ({"words": ["gift card", "credit"]}, "Can I pay with a credit card?", [], True),
        ({"tools": ["pay_*"]}, "Hello there", ["pay_order"], True),
        ({"tools": ["pay_*"]}, "Can I pay with gift cards?", ["list_orders"], False),
        ({"always": True, "words": ["never said"]}, "Hello", [], True),
        ({}, "Hello", [], True),
    ],
)
async def test_a_module_is_sent_when_its_condition_holds(
    make_stage: Make, when: dict[str, Any], question: str, tools: list[str], comes: bool
) -> None:
    """Words and tools decide, however small the prompt is; what has no module stays, as there's room."""
    stage = make_stage(modules=[module("Gift cards", when=when)], min_tokens=1_500)
    out = sections(await sent(stage, ask(question, tools=tools)))
    assert out == set(TOPICS) - (set() if comes else {"Gift cards"})


SHORT = {
    "cards": {"text": "Refunds go to the card.", "when": {"words": ["refund"]}},
    "posts": {"text": "Parcels go by Orlik.", "conflicts": ["cards"]},
    "bills": {"text": "Bills are sent by pay_order.", "when": {"tools": ["pay_*"]}},
}


@pytest.mark.parametrize(
    ("question", "tools", "comes"),
    [("A refund?", [], {"cards"}), ("Hello", ["pay_order"], {"posts", "bills"}), ("Hello", [], {"posts"})],
)
@pytest.mark.parametrize("between", ["\n", "\n\n"])
async def test_modules_of_one_line_in_a_tiny_prompt(
    make_stage: Make, question: str, tools: list[str], comes: set[str], between: str
) -> None:
    """What they say holds whatever it saves, also within one paragraph: the line that names the rest may go."""
    prompt = between.join(["You are Alder.", *(str(fields["text"]) for fields in SHORT.values()), "Be kind."])
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": question})
    request = ChatRequest(model="m", messages=messages, tools=tuple(map(tool, tools)))
    out = await sent(make_stage(modules=[{"id": id, **fields} for id, fields in SHORT.items()]), request)
    lines = text_of(out.messages[0]["content"]).splitlines()
    assert {id for id, fields in SHORT.items() if fields["text"] in lines} == comes
    assert {"You are Alder.", "Be kind."} <= set(lines)
    assert count_request(out) <= count_request(request)


async def test_spaces_do_not_hide_a_module(make_stage: Make) -> None:
    """A module's text is found though lines are indented and blank lines are fewer."""
    modules = [{"id": "x", "text": f"## Meetings\n   {TOPICS['Meetings']}", "when": {"words": ["meeting"]}}]
    assert "Meetings" not in sections(await sent(make_stage(modules=modules), ask("Is a tent under warranty?")))


async def test_kinds_of_tasks_decide(make_stage: Make) -> None:
    """A module for a kind of task comes with questions that are likely of that kind."""

    class Intents:
        async def classify(self, texts: Sequence[str]) -> list[Intent]:
            return [Intent({"finance": 0.8 if "money" in text else 0.1, "travel": 0.2}) for text in texts]

    settings_ = PromptSettings.model_validate({"modules": [module("Refunds", when={"intents": ["finance"]})]})
    stage = PromptStage(settings_, HashedWords(), Intents)
    assert "Refunds" in sections(await sent(stage, ask("I want money")))
    assert "Refunds" not in sections(await sent(stage, ask("I want a train")))


async def test_what_a_module_requires_comes_with_it(make_stage: Make) -> None:
    """Whether or not its own condition holds."""
    modules = [
        module("Refunds", when={"words": ["refund"]}, requires=["warranty"]),
        module("Warranty", when={"words": ["zip"]}, requires=["charts"]),
        module("Charts", when={"words": ["bar"]}),
    ]
    assert {"Refunds", "Warranty", "Charts"} <= sections(await sent(make_stage(modules=modules), ask("A refund?")))
    assert {"Refunds", "Warranty", "Charts"}.isdisjoint(sections(await sent(make_stage(modules=modules), ask("Hello"))))


@pytest.mark.parametrize(("priority", "stays"), [(0, "Refunds"), (5, "Couriers")])
async def test_of_two_that_conflict_one_is_sent(make_stage: Make, priority: int, stays: str) -> None:
    """The one of more priority; of equals the one that fits the question."""
    modules = [module("Refunds", conflicts=["couriers"]), module("Couriers", priority=priority)]
    out = sections(await sent(make_stage(modules=modules), ask("Who approves a refund over 200 GBP?")))
    assert out & {"Refunds", "Couriers"} == {stays}


async def test_the_budget_takes_the_least_important_first(make_stage: Make) -> None:
    """Modules that always come are sent whatever they cost; the others by priority, before relevance."""
    always = [module(title, when={"always": True}) for title in ("Refunds", "Couriers", "Incidents", "Charts")]
    free = [title for title in TOPICS if module(title, when={"always": True}) not in always]

    async def out(priorities: dict[str, int], budget: int = 400) -> set[str]:
        modules = [*always, *(module(title, priority=priorities.get(title, 0)) for title in free)]
        stage = make_stage(modules=modules, budget_tokens=budget)
        return sections(await sent(stage, ask("Which rows may a query read?")))

    assert "Database" in await out({}, 260)
    assert "Purchase orders" not in await out({}, 260)
    assert {"Refunds", "Couriers", "Incidents", "Charts", "Purchase orders"} <= await out({"Purchase orders": 3})
    assert await out({title: -1 for title in free if title != "Purchase orders"}) == await out({"Purchase orders": 3})


async def test_a_later_question_brings_its_module_at_the_tail(make_stage: Make) -> None:
    """The prompt stays as it was sent, and the module stands before the question."""
    rare = [module(title, when={"words": ["sale"]}) for title in ("Refunds", "Couriers", "Incidents", "Warranty")]
    stage = make_stage(modules=[*rare, module("Gift cards", when={"words": ["gift card"]})])
    one = await sent(stage, ask("How many bars may a chart have?"))
    two = await sent(stage, ask("How many bars may a chart have?", "Are gift cards valid for two years?"))
    assert two.messages[: len(one.messages)] == one.messages
    assert text_of(two.messages[-2]["content"]) == f"{HEAD}{TEXTS['Gift cards']}".rstrip()


async def test_a_word_is_enough_of_a_later_question(make_stage: Make) -> None:
    """Also one that the prompt doesn't have, in a question that says nothing else."""
    rare = [module(title, when={"words": ["sale"]}) for title in ("Refunds", "Couriers", "Incidents", "Warranty")]
    stage = make_stage(modules=[*rare, module("Gift cards", when={"words": ["voucher"]})])
    for question, comes in (("Voucher?", True), ("Thanks!", False)):
        out = await sent(stage, ask("How many bars may a chart have?", question))
        assert any(TOPICS["Gift cards"] in text_of(m["content"]) for m in out.messages) is comes


@pytest.mark.parametrize("conflicts", [["refunds"], []])
async def test_what_conflicts_with_what_was_sent_stays_out(make_stage: Make, conflicts: list[str]) -> None:
    """Also when a later question asks for it: what was sent is never taken back."""
    cards = module("Gift cards", when={"words": ["gift card"]}, conflicts=conflicts)
    rare = [module(title, when={"words": ["sale"]}) for title in ("Couriers", "Incidents", "Warranty")]
    stage = make_stage(modules=[module("Refunds", when={"words": ["refund"]}), cards, *rare])
    one = await sent(stage, ask("Who approves a refund?"))
    two = await sent(stage, ask("Who approves a refund?", "Are gift cards valid for two years?"))
    assert "Refunds" in sections(one)
    assert two.messages[: len(one.messages)] == one.messages
    assert any(TOPICS["Gift cards"] in text_of(m["content"]) for m in two.messages) is (not conflicts)


async def test_other_prompts_are_none_of_the_modules_business(make_stage: Make) -> None:
    """A prompt that holds no module's text is left as small prompts are."""
    modules = [{"id": "x", "text": "Something else.", "when": {"words": ["x"]}}]
    request = ask("Hello there, who are you?")
    assert await sent(make_stage(modules=modules, min_tokens=1_500), request) is request


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "when": st.sampled_from([{}, {"always": True}, {"words": ["refund"]}, {"tools": ["pay_order"]}]),
        "priority": st.integers(-2, 2),
    },
)


@given(
    st.dictionaries(st.sampled_from(sorted(TOPICS)), CONDITIONS, max_size=8),
    st.lists(st.sampled_from([*TOPICS.values(), "hello", "a refund", "What about the zip?"]), min_size=1, max_size=4),
    st.sampled_from([(), ("pay_order",), ("look",)]),
    st.sampled_from([120, 300, 5_000]),
)
@settings(max_examples=60, deadline=None)
def test_laws_of_modules(
    make_stage: Make, modules: dict[str, dict[str, Any]], questions: list[str], tools: tuple[str, ...], budget: int
) -> None:
    """Turn n is a prefix of turn n+1; nothing grows; another worker decides the same; core modules are there."""

    async def check() -> None:
        listed = [module(title, **fields) for title, fields in modules.items()]
        stage, before = make_stage(modules=listed, budget_tokens=budget), ()
        for n in range(1, len(questions) + 1):
            request = ask(*questions[:n], tools=tools)
            out = await sent(stage, request)
            assert out.messages[: len(before)] == before
            assert count_request(out) <= count_request(request)
            assert (await sent(make_stage(modules=listed, budget_tokens=budget), request)).messages == out.messages
            assert {t for t, f in modules.items() if f.get("when") == {"always": True}} <= sections(out)
            before = out.messages

    asyncio.run(check())
