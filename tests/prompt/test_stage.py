"""The stage: which sections are sent, when, and what never changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.counting import count_request

from litellm_tokenopt.additions import HEAD, Reach
from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.prompt.choice import choose_late
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.prompt.ranking import Relevance
from litellm_tokenopt.prompt.rendering import LEFT_OUT, LIST_TOKENS
from litellm_tokenopt.request import ChatRequest, is_system, text_of
from litellm_tokenopt.settings import PromptSettings
from litellm_tokenopt.stage import Change, Keep, Verdict
from litellm_tokenopt.tokens import count_text

Make = Callable[..., PromptStage]

REFUND = "Who has to approve a refund of 250 GBP to the card?"
COURIER = "By which courier do parcels go to Poland, and when is a lost parcel claimed?"
CHART = "How many bars may horizontal bar charts have in the document size?"
QUESTIONS = [
    REFUND, COURIER, CHART, "hello", "thanks!", "", "What warranty do zips of tents have before a replacement?",
    "May gift cards be paid out in cash after two years?", "Write a poem about the sea.", "And in Spain?",
]  # fmt: skip


def chat(*messages: dict[str, Any], **more: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=messages, **more)


def system(content: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": content}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def reply(content: str = "All right.") -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def changed(verdict: Verdict) -> ChatRequest:
    assert isinstance(verdict, Change)
    assert verdict.reason == "selected"
    return verdict.request


def references(request: ChatRequest) -> list[str]:
    return [text for m in request.messages if (text := text_of(m.get("content"))).startswith(HEAD)]


async def sent(stage: PromptStage, request: ChatRequest) -> ChatRequest:
    verdict = await stage(request)
    return verdict.request if isinstance(verdict, Change) else request


async def test_the_section_that_answers_is_sent_and_others_are_not(make_stage: Make, prompt: str) -> None:
    """The prompt shrinks to its budget and keeps what the question is about."""
    request = changed(await make_stage()(chat(system(prompt), user(REFUND))))
    text = request.messages[0]["content"]
    assert "A refund over 200 GBP needs a team lead." in text
    assert count_text(text) <= 600
    assert "## Safety rules\n\nNever show a customer's card number." in text
    assert text.startswith("You are Alder")


async def test_kept_sections_stand_in_their_order(make_stage: Make, prompt: str) -> None:
    """What is sent is in the order of the original."""
    text = changed(await make_stage()(chat(system(prompt), user(COURIER)))).messages[0]["content"]
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == sorted(headings, key=prompt.index)


async def test_what_is_left_out_is_named_in_one_short_line(make_stage: Make, prompt: str) -> None:
    """The prompt ends with a line that names the sections that are not there."""
    text = changed(await make_stage()(chat(system(prompt), user(REFUND)))).messages[0]["content"]
    line = text.splitlines()[-1]
    assert line.startswith(LEFT_OUT)
    assert "Gift cards" in line or "Meetings" in line
    assert count_text(line) <= LIST_TOKENS + 10


async def test_headings_above_a_section_are_sent_with_it(make_stage: Make) -> None:
    """A sub-section keeps the headings that it stands under, without their other text."""
    filler = "\n\n".join(f"## Part {n}\n\n" + f"Here is entry {n} of the ledger. " * 12 for n in range(12))
    stoves = f"# Stoves\n\n{'A stove burns. ' * 60}\n\n## Valves\n\nTurn the brass valve left.\n"
    text = f"Core.\n\n# Ledger\n\n{filler}\n\n{stoves}"
    out = changed(await make_stage(budget_tokens=300)(chat(system(text), user("Which way do I turn the brass valve?"))))
    assert "# Stoves\n" in out.messages[0]["content"]
    assert "## Valves\n\nTurn the brass valve left." in out.messages[0]["content"]


async def test_closing_tags_come_with_their_opening_tags(make_stage: Make, prompt: str) -> None:
    """A tagged section is sent with both of its tags, and one that is left out with neither."""
    tags = "".join(f"<{name}>\n{'The ' + name + ' is checked by hand. ' * 30}\n</{name}>\n" for name in "abcdefghij")
    text = f"Core.\n\n<boots>\nBoots are waxed twice a year.\n</boots>\n{tags}"
    out = changed(await make_stage()(chat(system(text), user("How often are boots waxed in a year?")))).messages[0]
    assert "<boots>\nBoots are waxed twice a year.\n</boots>\n" in out["content"]
    assert all((f"<{n}>" in out["content"]) == (f"</{n}>" in out["content"]) for n in "abcdefghij")


async def test_a_large_section_is_cut_to_what_is_relevant(make_stage: Make) -> None:
    """Of a section beyond the budget the matching blocks stay, whole."""
    items = "".join(f"- Locker {n} holds rope number {n * 3} and a spare hook.\n" for n in range(120))
    text = f"Core.\n\n# Lockers\n\n{items}- The kayak paddle hangs at the north door.\n\n# Other\n\nNothing.\n"
    out = changed(await make_stage()(chat(system(text), user("Where does the kayak paddle hang?")))).messages[0]
    assert "- The kayak paddle hangs at the north door.\n" in out["content"]
    assert "Lockers (in part)" in out["content"]


AREAS = ("Harbour", "Forge", "Bakery", "Stable", "Mill", "Brewery", "Tannery", "Dairy")


def areas(*parts: str) -> str:
    return "Core.\n\n" + "".join(
        f"## {area}\n\n"
        + "".join(f"### {p}\n\n{f'The {p} of the {area} is kept by hand in a book. ' * 6}\n\n" for p in parts)
        for area in AREAS
    )


async def test_a_heading_that_each_topic_has_is_about_the_topic(make_stage: Make) -> None:
    """An "Overview" of each topic comes with its topic, and is no word about the agent itself."""
    request = chat(system(areas("Overview", "Prices")), user("What about the tannery's prices and overview?"))
    text = changed(await make_stage()(request)).messages[0]["content"]
    assert "The Overview of the Tannery" in text
    assert sum(f"The Overview of the {area}" in text for area in AREAS) <= 4


async def test_what_is_left_out_is_named_by_its_topic(make_stage: Make) -> None:
    """Where many sections share a heading, the heading above says which of them it is."""
    request = chat(system(areas("Visits", "Prices")), user("What about the tannery's prices?"))
    text = changed(await make_stage()(request)).messages[0]["content"]
    line = text.rpartition("\n")[2]
    assert "Visits" not in line
    assert "Forge" in line
    assert line.count("Forge") == 1


async def test_room_that_is_left_is_used(make_stage: Make) -> None:
    """Where one section holds nearly all, it gets the budget that no other section needs."""
    items = "".join(f"- Locker {n} holds rope number {n * 3} and a spare hook.\n" for n in range(90))
    request = chat(system(f"Core.\n\n# Lockers\n\n{items}"), user("Which locker holds a spare hook?"))
    text = changed(await make_stage()(request)).messages[0]["content"]
    assert count_text(text) >= 400


async def test_always_include_keeps_a_section(make_stage: Make, prompt: str) -> None:
    """Headings named in the settings stay, whatever the question."""
    stage = make_stage(always_include=["gift"])
    assert "Gift cards are valid" in changed(await stage(chat(system(prompt), user(REFUND)))).messages[0]["content"]


async def test_the_last_short_paragraph_stays(make_stage: Make, prompt: str) -> None:
    """A date or a name at the prompt's end is always sent."""
    out = changed(await make_stage()(chat(system(f"{prompt}\n\nToday is 2026-03-17."), user(REFUND))))
    assert "Today is 2026-03-17." in out.messages[0]["content"]


async def test_a_greeting_gets_what_always_holds(make_stage: Make, prompt: str) -> None:
    """With a first message that says little, the core and the sections on behaviour are sent."""
    text = changed(await make_stage()(chat(system(prompt), user("hello")))).messages[0]["content"]
    assert "## Output format" in text
    assert count_text(text) <= 600


async def test_a_later_need_goes_in_before_its_question(make_stage: Make, prompt: str) -> None:
    """What a later question clearly needs comes as a short message just before it; the system message stays."""
    stage = make_stage()
    first = chat(system(prompt), user(REFUND))
    later = chat(*first.messages, reply(), user(CHART))
    one, two = changed(await stage(first)), changed(await stage(later))
    assert "Bar charts are horizontal" not in one.messages[0]["content"]
    assert two.messages[:2] == one.messages
    assert two.messages[-1] is later.messages[-1]
    assert two.messages[-2]["role"] == "user"
    assert two.messages[-2]["content"].startswith(HEAD + "## Charts\n\nBar charts are horizontal")


async def test_a_section_is_added_once(make_stage: Make, prompt: str) -> None:
    """What was added for one question isn't added again for the next."""
    messages = [system(prompt), user(REFUND), reply(), user(CHART), reply(), user(CHART + " Again, please.")]
    assert len(references(changed(await make_stage()(chat(*messages))))) == 1


async def test_small_talk_adds_nothing(make_stage: Make, prompt: str) -> None:
    """A later message that says little brings no section in."""
    messages = [system(prompt), user(REFUND), reply(), user("Thanks!")]
    assert references(changed(await make_stage()(chat(*messages)))) == []


@pytest.mark.parametrize("question", ["zips?", "Who is Orlik?"])
async def test_rare_words_bring_the_section_that_has_them(make_stage: Make, prompt: str, question: str) -> None:
    """A word that one section alone has tells what a later question is about, though it says little else."""
    request = chat(system(prompt), user(CHART), reply(), user(question))
    [added] = references(changed(await make_stage()(request)))
    assert ("courier Orlik" if "Orlik" in question else "zips of one year") in added


async def test_a_question_in_other_words_brings_what_fits_it_best(make_stage: Make, prompt: str) -> None:
    """Also where it shares but a word with the section that it needs."""
    request = chat(
        system(prompt), user(CHART), reply(), user("A customer wants somebody to mend broken zips for nothing")
    )
    assert "zips of one year" in "".join(references(changed(await make_stage()(request))))


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "the best one there"])
def test_what_is_there_takes_its_part(prompt: str, there: bool) -> None:
    """Late sections are chosen as if none were there; where those that fit best are, little or nothing comes."""
    found = outline([prompt])
    refunds = next(i for i, label in enumerate(found.labels) if "Refunds" in label)
    blocks = frozenset((refunds, b) for b in range(len(found.profiles[refunds].blocks)))
    relevance = [Relevance(score=0.1, cosine=0.1, shared=0)] * len(found.profiles)
    relevance[refunds] = Relevance(score=0.5, cosine=0.5, shared=2)
    assert choose_late(found, relevance, {"refund": 1.0}, blocks if there else frozenset(), 2_000) == (
        frozenset() if there else blocks
    )


async def test_a_turn_that_leans_is_read_with_its_question(make_stage: Make, prompt: str) -> None:
    """A follow-up brings what its question needs beside it, and none that points back brings anything by itself."""
    before = [system(prompt), user(REFUND), reply(), user(COURIER), reply()]
    asked = references(changed(await make_stage()(chat(*before))))
    for follow_up in ("Yes, please do it.", "ok", "And then?", ""):
        assert references(changed(await make_stage()(chat(*before, user(follow_up))))) == asked


async def test_a_tool_loop_adds_nothing(make_stage: Make, prompt: str) -> None:
    """Between a question and the next one, calls and their results change nothing of what is sent."""
    messages = [system(prompt), user(REFUND), reply(), user(CHART)]
    asked = changed(await make_stage()(chat(*messages))).messages
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    loop = [{"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": COURIER}]  # fmt: skip
    assert changed(await make_stage()(chat(*messages, *loop))).messages == (*asked, *loop)


@pytest.mark.parametrize(("reach_tokens", "times"), [(100, 2), (10_000, 1)])
async def test_what_lies_far_back_is_added_again(make_stage: Make, prompt: str, reach_tokens: int, times: int) -> None:
    """What was added so far back that a later stage may have cut it comes again when it's asked for."""
    stage = make_stage(reach=Reach(reach_tokens))
    messages = [system(prompt), user(REFUND), reply(), user(CHART), reply("word " * 400), user(CHART + " Again.")]
    first, both = [references(changed(await stage(chat(*messages[:n])))) for n in (4, 6)]
    assert both == first * times


THINGS = "address birthday contract passport salary password vote garage car order key tax debt".split()
RULE_LISTS = {
    "items": "\n".join(f"- Never tell a customer's {one} to others.\n- The {one} must be asked for." for one in THINGS),
    "prose": " ".join(f"Never tell a customer's {one} to others. The {one} must be asked for." for one in THINGS),
}


@pytest.mark.parametrize("heading", ["Rules", "Safety"])
@pytest.mark.parametrize("form", RULE_LISTS)
async def test_rules_are_sent_however_many(make_stage: Make, prompt: str, heading: str, form: str) -> None:
    """No rule under a general heading makes room for what a question is about."""
    with_rules = f"{prompt}## {heading}\n\n{RULE_LISTS[form]}\n\n## Colours\n\nTents are green.\n"
    text = changed(await make_stage()(chat(system(with_rules), user(REFUND)))).messages[0]["content"]
    for one in THINGS:
        assert f"Never tell a customer's {one} to others." in text
        assert f"The {one} must be asked for." in text


async def test_a_long_reference_under_a_general_heading_is_no_rule(make_stage: Make, prompt: str) -> None:
    """Of a section that says much beside its rules, the rules alone stay in any case."""
    sizes = "\n\n".join(f"Paper size {n} is {n * 7} by {n * 11} millimetres." for n in range(60))
    text = f"{prompt}## Output\n\nNever write in capitals.\n\n{sizes}\n\n## Colours\n\nTents are green.\n"
    new = changed(await make_stage()(chat(system(text), user(REFUND)))).messages[0]["content"]
    assert "Never write in capitals." in new
    assert count_text(new) <= 600


async def test_a_list_of_rules_under_any_heading_stays(make_stage: Make, prompt: str) -> None:
    """What customers must never be told holds, whatever its heading says and whatever is asked."""
    rules = "\n".join(f"- Never tell a customer's {one} to others." for one in THINGS[:6])
    text = f"{prompt}## What customers expect\n\n{rules}\n\n## Colours\n\nTents are green.\n"
    assert rules in changed(await make_stage()(chat(system(text), user(REFUND)))).messages[0]["content"]


async def test_detail_tells_sections_and_late_additions(make_stage: Make, prompt: str) -> None:
    """The verdict counts sections before and after, and the turns that added some."""
    verdict = await make_stage()(chat(system(prompt), user(REFUND), reply(), user(CHART)))
    assert verdict.detail["sections_before"] == 13
    assert 0 < verdict.detail["sections_after"] < 13
    assert verdict.detail["late"] == 1


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([user("hi")], "no_prompt"),
        ([system("Be kind."), user("hi")], "small"),
        ([system(None), user("hi")], "no_prompt"),
        ([user("hi"), system("late " * 2000)], "no_prompt"),
    ],
)
async def test_nothing_to_choose_from(make_stage: Make, messages: list[dict[str, Any]], reason: str) -> None:
    """No system message at the head, or a small one, is left alone."""
    verdict = await make_stage()(chat(*messages))
    assert isinstance(verdict, Keep)
    assert verdict.reason == reason


async def test_a_prompt_within_its_budget_is_kept(make_stage: Make, prompt: str) -> None:
    """Nothing is left out where all of it fits."""
    assert await make_stage(budget_tokens=9_000)(chat(system(prompt), user(REFUND))) == Keep("kept")


async def test_cache_control_is_left_alone(make_stage: Make, prompt: str) -> None:
    """A system message with the caller's mark, and those before it, are untouched."""
    marked = system([{"type": "text", "text": prompt, "cache_control": {"type": "ephemeral"}}])
    assert await make_stage()(chat(system(prompt), marked, user(REFUND))) == Keep("no_prompt")
    out = changed(await make_stage()(chat(marked, system(prompt), user(REFUND))))
    assert out.messages[0] is marked


@pytest.mark.parametrize("role", ["system", "developer"])
async def test_text_blocks_are_chosen_from_and_others_stay(make_stage: Make, prompt: str, role: str) -> None:
    """In a list of blocks the texts change, and what is no text is the very object that came in."""
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    half = prompt.index("## Charts")
    blocks = [{"type": "text", "text": prompt[:half]}, image, {"type": "text", "text": prompt[half:], "extra": 1}]
    content = changed(await make_stage()(chat(system(blocks, role), user(CHART)))).messages[0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text"]
    assert content[1] is image
    assert content[2]["extra"] == 1
    assert "Bar charts are horizontal" in content[2]["text"]


async def test_repeats_and_rulers_are_not_sent_twice(make_stage: Make, prompt: str) -> None:
    """A block that stands in a section twice is sent once, and decoration not at all."""
    line = "- The kayak paddle hangs at the north door, beside the life vests, under the lamp of the boat house.\n"
    text = f"{prompt}## Kayaks\n\n{line}\n---\n\n\n\n{line}"
    out = changed(await make_stage()(chat(system(text), user("Where does the kayak paddle hang?")))).messages[0]
    assert out["content"].count("kayak paddle") == 1
    assert "---" not in out["content"]


async def test_without_a_model_the_prompt_is_left_alone(prompt: str) -> None:
    """An embedding model that can't be had leaves the prompt as it is."""

    class Missing:
        name = "missing"
        dimensions = 3

        async def embed(self, texts: object) -> Any:
            raise ModelUnavailable("no files")

    stage = PromptStage(PromptSettings(budget_tokens=600, min_tokens=500), Missing())
    assert await stage(chat(system(prompt), user(REFUND))) == Keep("no_model")


CONVERSATIONS = st.lists(
    st.tuples(st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=2), st.booleans()), min_size=1, max_size=6
)
ENDINGS = st.sampled_from(["", "\nSession 17.", "\n\nToday is Tuesday.", "\n\n# Extra\n\nA zip is waxed once a year."])


def requests_of(prompt: str, turns: list[tuple[list[str], bool]]) -> list[ChatRequest]:
    """What a client sends that appends: every turn's questions, a tool call in some, then the answer."""
    messages: list[dict[str, Any]] = [system(prompt)]
    requests = []
    for n, (questions, uses_tool) in enumerate(turns):
        messages += map(user, questions)
        requests.append(chat(*messages))
        if uses_tool:
            call = {"id": f"c{n}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            messages += [{"role": "assistant", "content": None, "tool_calls": [call]}]
            messages += [{"role": "tool", "tool_call_id": f"c{n}", "content": "Entry 7 is open."}]
            requests.append(chat(*messages))
        messages.append(reply())
    return requests


@given(CONVERSATIONS, ENDINGS)
@settings(max_examples=40, deadline=None)
def test_laws_of_a_session(make_stage: Make, prompt: str, turns: list[tuple[list[str], bool]], ending: str) -> None:
    """Turn n is a prefix of turn n+1; nothing grows; twice is once; another worker decides the same."""

    async def check() -> None:
        stage = make_stage()
        before: tuple[Any, ...] = ()
        for request in requests_of(prompt + ending, turns):
            out = changed(await stage(request))
            assert out.messages[: len(before)] == before
            assert count_request(out) <= count_request(request)
            assert out.messages[-1] is request.messages[-1]
            assert await stage(out) == Keep("kept")
            assert changed(await make_stage()(request)) == out
            assert [m for m in request.messages if not is_system(m)] == [
                m for m in out.messages if not is_system(m) and not text_of(m.get("content")).startswith(HEAD)
            ]
            before = out.messages

    asyncio.run(check())


@given(st.lists(st.text(max_size=300), min_size=1, max_size=4), st.sampled_from(QUESTIONS))
@settings(max_examples=60, deadline=None)
def test_any_text_passes(make_stage: Make, prompt: str, texts: list[str], question: str) -> None:
    """Whatever the prompt, nothing raises, nothing grows, and a second pass changes nothing."""

    async def check() -> None:
        stage = make_stage(budget_tokens=300, min_tokens=0)
        request = chat(*map(system, texts), system("\n\n".join([*texts, prompt, *texts])), user(question))
        out = await sent(stage, request)
        assert count_request(out) <= count_request(request)
        assert await sent(stage, out) == out

    asyncio.run(check())
