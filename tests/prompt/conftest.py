"""A long prompt to choose from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.vectors import HashedWords

from litellm_tokenopt.additions import ENDLESS, Reach
from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.settings import PromptSettings

TOPICS = {
    "Refunds": "A refund over 200 GBP needs a team lead. Refunds go to the card that paid, within five days.",
    "Couriers": "Parcels to Poland go by courier Orlik, to Spain by Veloz. A lost parcel is claimed after ten days.",
    "Incidents": "A severity one incident is acknowledged in five minutes by the engineer on call.",
    "Purchase orders": "Suppliers get a purchase order by e-mail. Orders over 5000 EUR are signed by the planner.",
    "Charts": "Bar charts are horizontal, the largest bar on top, twelve bars at most, in the document size.",
    "Warranty": "Tents have a warranty of three years, zips of one year; a repair is tried before a replacement.",
    "Meetings": "Meetings are never put before nine; invitations name a room and an agenda.",
    "Gift cards": "Gift cards are valid for two years and never paid out in cash.",
    "Translation": "The glossary decides; product names are never translated into another language.",
    "Database": "Queries read the warehouse schema with a date filter and at most ten thousand rows.",
}


def section(title: str, text: str, repeats: int = 6) -> str:
    """A section of *title* with the telling sentences of *text*, and steps that no question asks for."""
    lines = (f"- Step {n} of {title.lower()}: look at entry {n * 7} and note its outcome." for n in range(repeats))
    steps = "\n".join(lines)
    return f"## {title}\n\n{text}\n\n{steps}\n\n"


def long_prompt() -> str:
    """Ten areas of work, and what always holds, in about 1,900 tokens."""
    core = "You are Alder, an assistant for the staff of a shop.\n\n"
    safety = "## Safety rules\n\nNever show a customer's card number.\n\n"
    output = "## Output format\n\nAnswer in short sentences.\n\n"
    return core + safety + output + "".join(section(title, text) for title, text in TOPICS.items())


@pytest.fixture(scope="session")
def prompt() -> str:
    return long_prompt()


@pytest.fixture(scope="session")
def make_stage() -> Callable[..., PromptStage]:
    """A stage with a budget of 600 tokens, unless told otherwise."""

    def make(*, reach: Reach = ENDLESS, **settings: object) -> PromptStage:
        values = {"budget_tokens": 600, "min_tokens": 500, **settings}
        return PromptStage(PromptSettings.model_validate(values), HashedWords(), reach=reach)

    return make
