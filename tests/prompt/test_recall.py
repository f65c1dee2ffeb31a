"""Sections that were left out can be read when the model asks for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from litellm_tokenopt.own import Asked, OwnTool
from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.recall import NAME
from litellm_tokenopt.request import ChatRequest, text_of, tool_name
from litellm_tokenopt.stage import Change

from .conftest import TOPICS, section

MAIL = section("How to send mail", "A subject has at most sixty letters.")
MODULES = [
    {"id": "mail", "text": "Mail goes out at five.", "when": {"tools": ["send_*"]}, "requires": ["stamps"]},
    {"id": "stamps", "text": "Stamps lie in drawer nine.", "when": {"words": ["stamp"]}},
    {"id": "fax", "text": "Faxes go out at six.", "when": {"tools": ["fax_*"]}},
]
TOOL = {"type": "function", "function": {"name": "list_orders", "parameters": {"type": "object"}}}


async def test_a_query_brings_the_section(make_stage: Callable[..., PromptStage], prompt: str) -> None:
    """The section comes as it was written; a query that fits nothing brings nothing."""
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": "Who approves a refund of 250 GBP?"})
    request = ChatRequest(model="m", messages=messages, tools=(TOOL,), own_tools=True)
    verdict = await make_stage()(request)
    assert isinstance(verdict, Change)
    (offer,) = verdict.offers
    assert tool_name(offer.tool) == NAME
    warranty = "Tents have a warranty of three years, zips of one year"
    assert warranty not in text_of(verdict.request.messages[0]["content"])
    found = await offer.answer(Asked(original=request, sent=verdict.request, arguments={"query": "warranty of zips"}))
    assert found is not None
    assert warranty in found.text
    assert await offer.answer(Asked(original=request, sent=request, arguments={"query": "xylophone"})) is None
    assert await offer.answer(Asked(original=request, sent=request, arguments={"id": "m1"})) is None


async def offer_of(stage: PromptStage, prompt: str, left_out: tuple[str, ...] = ()) -> tuple[OwnTool, ChatRequest]:
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": "Who approves a refund of 250 GBP?"})
    request = ChatRequest(
        model="m", messages=messages, tools=(TOOL,), own_tools=True, left_out_tools=frozenset(left_out)
    )
    verdict = await stage(request)
    assert isinstance(verdict, Change)
    return verdict.offers[0], request


@pytest.mark.parametrize(("conflicts", "comes"), [([], True), (["refunds"], False)])
async def test_what_conflicts_is_not_read_either(
    make_stage: Callable[..., PromptStage], prompt: str, conflicts: list[str], comes: bool
) -> None:
    """A module that is never sent with one that is there stays out also when the model asks for it."""
    modules = [
        {"id": "refunds", "text": TOPICS["Refunds"], "when": {"always": True}},
        {"id": "warranty", "text": TOPICS["Warranty"], "conflicts": conflicts},
    ]
    offer, request = await offer_of(make_stage(modules=modules), prompt)
    found = await offer.answer(Asked(original=request, sent=request, arguments={"query": "warranty of zips"}))
    assert (found is not None and TOPICS["Warranty"] in found.text) is comes


@pytest.mark.parametrize(
    "arguments",
    [{"query": "Warranty; Gift cards (in part)"}, {"query": "'Gift cards', Warranty"}, {"id": "Warranty, Gift cards"}],
)
async def test_sections_are_asked_for_by_name(
    make_stage: Callable[..., PromptStage], prompt: str, arguments: dict[str, str]
) -> None:
    """As the line of what is left out names them: these come whole, and no others."""
    offer, request = await offer_of(make_stage(), prompt)
    found = await offer.answer(Asked(original=request, sent=request, arguments=arguments))
    assert found is not None
    assert [line for line in found.text.splitlines() if line.startswith("#")] == ["## Warranty", "## Gift cards"]
    begin, between, end = (prompt.index(f"## {title}") for title in ("Warranty", "Meetings", "Gift cards"))
    assert found.text.startswith(prompt[begin:between])
    assert found.text.endswith(prompt[end : prompt.index("## Translation")].rstrip())


async def test_what_lies_under_a_name_comes_with_it(make_stage: Callable[..., PromptStage], prompt: str) -> None:
    """The line names a heading alone where nothing under it is sent."""
    boats = "# Boats\n\n" + "".join(section(title, "The Aire is closed.") for title in ("Kayaks", "Canoes"))
    offer, request = await offer_of(make_stage(), f"{prompt}{boats}")
    found = await offer.answer(Asked(original=request, sent=request, arguments={"query": "Boats"}))
    assert found is not None
    assert found.text.split() == boats.split()


async def test_examples_that_are_never_sent_can_be_read(make_stage: Callable[..., PromptStage], prompt: str) -> None:
    """What a prompt has too many of to be sent is there for who asks."""
    examples = "".join(f"Example: a slip of colour {n} is filed in drawer {n}.\n\n" for n in range(20, 30))
    offer, request = await offer_of(make_stage(), f"{prompt}## Slips\n\n{examples}")
    found = await offer.answer(Asked(original=request, sent=request, arguments={"query": "Slips"}))
    assert found is not None
    assert found.text.count("Example:") == 10


async def test_what_is_said_of_found_tools(make_stage: Callable[..., PromptStage], prompt: str) -> None:
    """Sections about them, and users' modules with what these require, as far as they aren't there."""
    offer, _ = await offer_of(make_stage(), prompt + MAIL, left_out=("send_mail",))
    assert "at most sixty letters" in await offer.about(["send_mail"])
    assert await offer.about(["list_orders"]) == ""
    modules = "\n\n".join(module["text"] for module in MODULES)
    offer, _ = await offer_of(make_stage(modules=MODULES), f"{prompt}\n\n{modules}\n\n{MAIL}", left_out=("send_mail",))
    about = await offer.about(["send_mail"])
    assert all(text in about for text in ("at most sixty", "goes out at five", "drawer nine"))
    assert "go out at six" not in about
