"""A placeholder in a system message stands for the users' modules, in all APIs and modes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from litellm_tokenopt import TokenOptimizer
from litellm_tokenopt.placeholder import PLACEHOLDER

CORE = "You are Alder, an assistant for the staff of a shop."
STEPS = " ".join(f"Step {n}: look at entry {n * 7}, and write its outcome down." for n in range(12))
MODULES = [
    {"id": "core", "text": CORE, "when": {"always": True}},
    {"id": "refunds", "text": f"## Refunds\n\nRefunds go to the card. {STEPS}", "when": {"words": ["refund"]}},
    {"id": "couriers", "text": f"## Couriers\n\nParcels go by Orlik. {STEPS}", "when": {"words": ["parcel"]}},
]
ALL = "\n\n".join(str(module["text"]) for module in MODULES)


def kwargs(surface: str, question: str, system: str = f"Today is Tuesday.\n\n{PLACEHOLDER}") -> dict[str, Any]:
    asked = [{"role": "user", "content": question}]
    if surface == "chat":
        return {"model": "m", "messages": [{"role": "system", "content": system}, *asked]}
    if surface == "messages":
        return {"model": "m", "max_tokens": 9, "system": [{"type": "text", "text": system}], "messages": asked}
    return {"model": "m", "instructions": system, "input": asked}


def sent(surface: str, question: str, **settings: Any) -> str:
    """What the model would get in all."""

    async def run() -> str:
        values = {"redis": {"url": "memory"}, "prompt": {"modules": MODULES}, "cache": {"enabled": False}, **settings}
        async with TokenOptimizer(values) as optimizer:
            given = kwargs(surface, question)
            outcome = await optimizer.before(given, surface)  # type: ignore[arg-type]
            assert outcome is not None
            return str({**given, **outcome.changes})

    return asyncio.run(run())


@pytest.mark.parametrize("surface", ["chat", "messages", "responses"])
def test_the_modules_that_the_question_needs_are_sent(surface: str) -> None:
    """The placeholder is gone; core and what the question is about are there."""
    text = sent(surface, "How do I make a refund?")
    assert PLACEHOLDER not in text
    assert "Today is Tuesday." in text
    assert CORE in text
    assert "Refunds go to the card" in text
    assert "Parcels go by Orlik" not in text


def test_a_placeholder_in_a_line_keeps_its_conditions() -> None:
    """Text in the same line as the placeholder hides neither the first nor the last module from their conditions."""

    async def run() -> str:
        async with TokenOptimizer({"redis": {"url": "memory"}, "prompt": {"modules": MODULES[1:]}}) as optimizer:
            given = kwargs("chat", "Hello, who are you?", f"Today is Tuesday. {PLACEHOLDER} Be kind.")
            outcome = await optimizer.before(given)
            assert outcome is not None
            return str(outcome.changes["messages"][0]["content"])

    text = asyncio.run(run())
    assert text.startswith("Today is Tuesday.\n")
    assert "Be kind." in text
    assert "Refunds go to the card" not in text
    assert "Parcels go by Orlik" not in text


@pytest.mark.parametrize("more", [{"mode": "shadow"}, {"mode": "off"}, {"holdout_fraction": 1}])
def test_without_a_choice_all_modules_are_sent(more: dict[str, Any]) -> None:
    """No mode sends a prompt without its instructions."""
    text = sent("chat", "Hello", **more)
    assert PLACEHOLDER not in text
    assert repr(ALL)[1:-1] in text
