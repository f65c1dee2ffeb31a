"""What was left out of a conversation can be read again: by the id in a mark, or by a query."""

from __future__ import annotations

import json
import re

import pytest

from litellm_tokenopt.context.recall import RecallMessages, recalled
from litellm_tokenopt.context.stage import ContextStage
from litellm_tokenopt.own import Asked
from litellm_tokenopt.recall import NAME, RECALLED_TOKENS, may_recall
from litellm_tokenopt.request import ChatRequest, tool_name
from litellm_tokenopt.settings import ContextSettings
from litellm_tokenopt.stage import Change
from litellm_tokenopt.tokens import count_text

TOOL = {"type": "function", "function": {"name": "list_orders", "parameters": {"type": "object"}}}
SYSTEM = {"role": "system", "content": "You help a shop."}


def conversation() -> list[dict[str, object]]:
    """Thirty turns about parcels; one of them names the courier's access code."""
    messages: list[dict[str, object]] = [SYSTEM]
    for n in range(30):
        said = f"Parcel {n} left the depot on day {n} and came to shelf {n * 7}. " * 6
        note = " The courier's access code for the yard is 4471-B." if n == 11 else ""
        messages += [
            {"role": "user", "content": f"Where is parcel {n}?"},
            {"role": "assistant", "content": said + note},
        ]
    return [*messages, {"role": "user", "content": "Thanks. Which shelf was parcel 29 on?"}]


def request(**changes: object) -> ChatRequest:
    request = ChatRequest(model="gpt-4o", messages=tuple(conversation()), tools=(TOOL,), own_tools=True)
    return request.with_(**changes)


@pytest.fixture
def stage() -> ContextStage:
    return ContextStage(ContextSettings(budget_tokens=900))


async def test_what_was_left_out_comes_back_by_its_id(stage: ContextStage) -> None:
    """Every mark holds the id of what it stands for; the answer is what was said there, word for word."""
    verdict = await stage(request())
    assert isinstance(verdict, Change)
    (offer,) = verdict.offers
    sent = "\n".join(str(message["content"]) for message in verdict.request.messages)
    assert "4471-B" not in sent
    ids = re.findall(r"\[… (m\d+(?:-m\d+)?)", sent)
    assert ids
    texts = []
    for name in ids:
        found = await offer.answer(Asked(original=request(), sent=verdict.request, arguments={"id": name}))
        assert found is not None
        texts.append(found.text)
    assert "Parcel 0 left the depot on day 0" in "\n".join(texts)


async def test_a_query_finds_the_passage() -> None:
    """The model need not know where it was said."""
    asked = Asked(original=request(), sent=request(), arguments={"query": "access code of the courier"})
    found = await RecallMessages().answer(asked)
    assert found is not None
    assert "4471-B" in found.text
    assert count_text(found.text) <= RECALLED_TOKENS * 1.1


def test_an_id_with_a_query_looks_there_alone() -> None:
    """m24 is the reply that names the code."""
    assert "4471-B" in recalled(request(), "m24", "access code")
    assert "4471-B" not in recalled(request(), "m1-m20", "access code")


@pytest.mark.parametrize(
    ("name", "same"),
    [("24", "m24"), (24, "m24"), (["m23", "m24"], "m23, m24"), ("23-24", "m23-m24"), ("24@1", "m24@1")],
)
async def test_an_id_may_be_written_otherwise(name: object, same: str) -> None:
    """A model that gives a number, or a list, means the messages with those ids."""
    found = await RecallMessages().answer(Asked(original=request(), sent=request(), arguments={"id": name}))
    assert (found.text if found else "") == recalled(request(), same, "")


NEXT = re.compile(r"\[There is more: ask for id (\S+), or with a query\.\]\Z")


def test_what_is_too_long_is_read_page_by_page() -> None:
    """A thousand rows aren't sent again at once; each answer ends with the id of the rest, until all was said."""
    rows = json.dumps([{"order": f"FH-{n:05d}", "state": "paid"} for n in range(1_000)])
    messages = (SYSTEM, {"role": "user", "content": "List them."}, {"role": "assistant", "content": rows})
    name, said = "m2", []
    while name:
        text = recalled(request(messages=messages), name, "")
        assert count_text(text) <= RECALLED_TOKENS * 1.3
        said += re.findall(r"FH-\d{5}", text)
        more = NEXT.search(text)
        name = more[1] if more else ""
    assert said == [f"FH-{n:05d}" for n in range(1_000)]
    assert recalled(request(messages=messages), "m2@9999", "") == ""


def test_what_fits_a_query_in_a_long_message_is_read_page_by_page_too() -> None:
    """The best first, from the message that the id names alone; a query without an answer there begins at its start."""
    log = "\n".join(f"Step {n} of the move used lift {n % 9} and took {n} minutes in all." for n in range(900))
    messages = (SYSTEM, {"role": "user", "content": "Lift 4?"}, {"role": "assistant", "content": log})
    first = recalled(request(messages=messages), "m2", "lift 4")
    more = NEXT.search(first)
    assert more is not None
    second = recalled(request(messages=messages), more[1], "lift 4")
    assert not set(re.findall(r"Step \d+ ", first)) & set(re.findall(r"Step \d+ ", second))
    assert "Step 0 of" in recalled(request(messages=messages), "m2", "zeppelin")


@pytest.mark.parametrize("name", ["", "m999", "nonsense", "m0", "m5-m2", "m1;drop"])
def test_an_id_that_is_none_is_as_if_it_were_not_given(name: str) -> None:
    """The query is looked for everywhere then."""
    if name != "m1;drop":
        assert "4471-B" in recalled(request(), name, "access code")
    assert recalled(request(messages=(SYSTEM,)), name, "") == ""


@pytest.mark.parametrize("name", ["m999", "nonsense", "m5-m2"])
def test_an_id_of_nothing_brings_nothing(name: str) -> None:
    """Without a query: not the beginning of the conversation, which nobody asked for."""
    assert recalled(request(), name, "") == ""


@pytest.mark.parametrize("changes", [{"tools": ()}, {"own_tools": False}])
async def test_the_tool_is_offered_to_those_who_may_call_it(stage: ContextStage, changes: dict[str, object]) -> None:
    """A model without tools gets none of ours, and marks without ids."""
    verdict, free = await stage(request(**changes)), await stage(request())
    assert isinstance(verdict, Change)
    assert isinstance(free, Change)
    assert verdict.offers == ()
    assert [tool_name(offer.tool) for offer in free.offers] == [NAME]
    ids = [re.search(r"\[… m\d", str(sent.request.messages)) is not None for sent in (verdict, free)]
    assert ids == ["tools" not in changes, True]
    assert not may_recall(request(**changes))
