"""Prompts of all forms: what a question needs stays, and so do the rules, within the budget."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.request import ChatRequest, text_of
from litellm_tokenopt.stage import Change
from litellm_tokenopt.tokens import count_text

from .conftest import TOPICS

QUESTIONS = {
    "Refunds": "Who has to sign off a refund over 200 GBP to a card?",
    "Couriers": "Which courier takes parcels to Poland?",
    "Incidents": "How fast is a severity one incident acknowledged?",
    "Purchase orders": "Who signs a purchase order over 5000 EUR?",
    "Charts": "Do bar charts have the largest bar on top?",
    "Warranty": "How long is the warranty of zips and tents?",
    "Meetings": "May I put a meeting before nine?",
    "Gift cards": "Are gift cards paid out in cash?",
    "Translation": "Which product names are translated into another language?",
    "Database": "How many rows may a query read from the warehouse schema?",
}
RULES = [
    "Never show a customer's card number.",
    "Always ask before anything is deleted.",
    "You must answer in short sentences.",
]


def filler(title: str, count: int = 6) -> list[str]:
    return [f"Step {n} of {title.lower()}: look at entry {n * 7} and note its outcome." for n in range(count)]


def xml() -> str:
    parts = [f"<rules>\n{' '.join(RULES)}\n</rules>"]
    for title, text in TOPICS.items():
        tag = title.lower().replace(" ", "_")
        parts.append(f"<{tag}>\n{text}\n\n" + "\n".join(filler(title)) + f"\n</{tag}>")
    return "<assistant>\nYou are Alder.\n\n" + "\n\n".join(parts) + "\n</assistant>\n"


def numbered() -> str:
    parts = ["1. General rules\n" + "\n".join(RULES)]
    for n, (title, text) in enumerate(TOPICS.items(), 2):
        parts.append(
            f"{n}. {title}\n{text}\n" + "\n".join(f"{n}.{m} {line}" for m, line in enumerate(filler(title), 1))
        )
    return "You are Alder.\n\n" + "\n\n".join(parts)


def paragraphs() -> str:
    """No headings at all."""
    parts = [" ".join([text, *filler(title)]) for title, text in TOPICS.items()]
    return "\n\n".join(["You are Alder, an assistant for the staff of a shop.", *RULES, *parts])


def one_list() -> str:
    items = [line for title, text in TOPICS.items() for line in (f"{title}: {text}", *filler(title))]
    return "You are Alder.\n\n" + "\n".join(f"- {line}" for line in [*RULES, *items])


def capitals() -> str:
    parts = ["RULES\n" + "\n".join(f"- {rule}" for rule in RULES)]
    parts += [f"{title.upper()}\n{text}\n" + "\n".join(filler(title)) for title, text in TOPICS.items()]
    return "You are Alder.\n\n" + "\n\n".join(parts)


def tables() -> str:
    parts = ["# Rules\n\n" + "\n".join(f"* {rule}" for rule in RULES)]
    for title, text in TOPICS.items():
        rows = "\n".join(f"| {n} | {line} |" for n, line in enumerate(filler(title)))
        parts.append(f"# {title}\n\n{text}\n\n| n | step |\n|---|---|\n{rows}")
    return "You are Alder.\n\n" + "\n\n".join(parts)


def bold() -> str:
    parts = ["**Ground rules**\n\n" + "\n".join(f"- {rule}" for rule in RULES)]
    parts += [
        f"**{title}**\n\n{text}\n\n" + "\n".join(f"- {x}" for x in filler(title)) for title, text in TOPICS.items()
    ]
    return "You are Alder.\n\n" + "\n\n".join(parts)


def german() -> str:
    """Headings in another language than the text of the topics."""
    rules = "\n".join(f"- {rule}" for rule in RULES)
    parts = [f"## Regeln\n\n{rules}", *(f"## {t}\n\n{x}\n\n" + "\n".join(filler(t)) for t, x in TOPICS.items())]
    return "Du bist Alder, ein Assistent.\n\n" + "\n\n".join(parts)


FORMS = [xml, numbered, paragraphs, one_list, capitals, tables, bold, german]


async def sent(make_stage: Callable[..., PromptStage], prompt: str, question: str) -> str:
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": question})
    verdict = await make_stage()(ChatRequest(model="m", messages=messages))
    assert isinstance(verdict, Change)
    return text_of(verdict.request.messages[0]["content"])


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("title", QUESTIONS)
async def test_what_a_question_needs_stays(
    make_stage: Callable[..., PromptStage], form: Callable[[], str], title: str
) -> None:
    """The telling text, the opening and the rules are sent, in about the budget."""
    text = await sent(make_stage, form(), QUESTIONS[title])
    assert TOPICS[title] in text
    assert "Alder" in text
    assert [rule for rule in RULES if rule not in text] == []
    assert count_text(text) <= 610
