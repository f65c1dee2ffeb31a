"""What the context stage does to conversations like those of an agent and its users."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from litellm_tokenopt.additions import HEAD, added
from litellm_tokenopt.context import cutting, folding
from litellm_tokenopt.context.marks import DIGEST_HEAD, RECALL_HEAD, SAME, SAME_RECORD
from litellm_tokenopt.context.stage import ContextStage
from litellm_tokenopt.evaluation.context_bench import conversation
from litellm_tokenopt.own import may_offer
from litellm_tokenopt.request import ChatRequest, Controls, text_of
from litellm_tokenopt.savings import CacheRates
from litellm_tokenopt.settings import ContextSettings
from litellm_tokenopt.stage import Change, Keep, Verdict
from litellm_tokenopt.tokens import PICTURE_TOKENS, count_messages

Body = dict[str, Any]

TOPICS = (
    "tent poles", "sleeping bags", "gas stoves", "rain jackets", "climbing ropes", "trail shoes", "head torches",
    "water filters", "map cases", "ice axes", "camp chairs", "dry sacks", "kayak paddles", "snow shovels", "ski skins",
)  # fmt: skip


def without_cache(_: str) -> CacheRates:
    return CacheRates(read=1.0, write=1.0)


@pytest.fixture
def stage() -> ContextStage:
    return ContextStage(ContextSettings(budget_tokens=1_500, condense_results=False), without_cache)


def turn(topic: str, number: int) -> list[Body]:
    """A question, a call with its result, and an answer; about 330 tokens."""
    rows = [
        {"sku": f"{topic[:3].upper()}-{number:02d}{row:02d}", "units": 17 * row + number, "warehouse": "LDS1"}
        for row in range(8)
    ]
    arguments = json.dumps({"topic": topic})
    call = {"id": f"call_{number}", "type": "function", "function": {"name": "get_stock", "arguments": arguments}}
    return [
        {"role": "user", "content": f"How many {topic} do we have?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": json.dumps(rows)},
        {"role": "assistant", "content": f"The stock of {topic} is {sum(r['units'] for r in rows)} units in Leeds."},
    ]


def session(turns: int) -> list[Body]:
    return [message for number in range(turns) for message in turn(TOPICS[number % len(TOPICS)], number)]


async def send(on: ContextStage, messages: Sequence[Body]) -> tuple[Verdict, tuple[Mapping[str, Any], ...]]:
    request = ChatRequest(model="gpt-4o", messages=tuple(messages))
    verdict = await on(request)
    return verdict, verdict.request.messages if isinstance(verdict, Change) else request.messages


def written(messages: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(text_of(message.get("content")) for message in messages)


async def test_short_conversations_are_left_alone(stage: ContextStage) -> None:
    """Under the budget there is nothing to decide."""
    verdict, _ = await send(stage, session(2))
    assert verdict == Keep("small")


async def test_results_are_said_in_fewer_tokens_as_they_come() -> None:
    """Long before there is anything to cut; in later turns with the same bytes."""
    on = ContextStage(ContextSettings())
    verdict, sent = await send(on, session(2))
    assert verdict.reason == "condensed"
    assert count_messages(sent) < 0.8 * count_messages(session(2))
    assert (await send(on, session(5)))[1][:8] == sent


STEPS = ContextSettings(budget_tokens=9_000, steps=(1_000, 2_000, 3_000), condense_results=False)


async def test_old_results_are_shortened_where_they_stand_long_before_the_budget_is_full() -> None:
    """Step by step, and more at a later step; each keeps its place and its call, the newest stay whole."""
    on = ContextStage(STEPS, without_cache)
    shares = []
    for turns in (5, 12):
        messages = [*session(turns), {"role": "user", "content": "Thanks, go on."}]
        _, sent = await send(on, messages)
        assert [m["role"] for m in sent] == [m["role"] for m in messages]
        assert sent[-5:] == tuple(messages[-5:])
        shares.append(count_messages(sent) / count_messages(messages))
    assert shares[1] < shares[0] < 1


async def test_a_step_waits_until_it_pays() -> None:
    """Where the provider reads again what it has seen for a tenth of the price, there are fewer steps."""
    messages = [*session(25), {"role": "user", "content": "Thanks, go on."}]
    dear = (await send(ContextStage(STEPS, without_cache), messages))[0]
    cheap = (await send(ContextStage(STEPS), messages))[0]
    assert cheap.detail.get("epochs", 0) < dear.detail["epochs"]


async def test_the_first_step_pays_for_the_prompt_too() -> None:
    """It brings the tool that asks back, and all behind the tools is read afresh: a long prompt makes it wait."""
    tool = {"type": "function", "function": {"name": "get_stock", "parameters": {"type": "object"}}}
    on = ContextStage(STEPS, lambda _: CacheRates(read=0.5, write=1.0))
    epochs = []
    for words in (1, 20_000):
        rules = {"role": "system", "content": "Politeness matters. " * words}
        messages = (rules, *session(25), {"role": "user", "content": "Thanks, go on."})
        request = ChatRequest(model="gpt-4o", messages=messages, tools=(tool,), own_tools=True)
        epochs.append((await on(request)).detail.get("epochs", 0))
    assert epochs[1] < epochs[0]


@pytest.mark.parametrize("choice", ["none", {"type": "function", "function": {"name": "get_stock"}}])
async def test_the_cut_is_gentler_where_the_model_cant_ask(choice: Any) -> None:
    """Without the tool that brings back what was left out, more stays."""
    tool = {"type": "function", "function": {"name": "get_stock", "parameters": {"type": "object"}}}
    on = ContextStage(STEPS, without_cache)
    messages = (*session(12), {"role": "user", "content": "Thanks, go on."})
    sizes = []
    for request in (
        ChatRequest(model="gpt-4o", messages=messages, tools=(tool,), own_tools=True),
        ChatRequest(model="gpt-4o", messages=messages, tools=(tool,), tool_choice=choice),
    ):
        verdict = await on(request.with_(own_tools=may_offer(request)))
        assert isinstance(verdict, Change)
        sizes.append(count_messages(verdict.request.messages))
    assert sizes[0] < sizes[1] < count_messages(messages)


async def test_no_messages_are_no_trouble(stage: ContextStage) -> None:
    """An empty request, or one of a system prompt alone, passes."""
    for messages in ([], [{"role": "system", "content": "rules " * 9_000}]):
        verdict, _ = await send(stage, messages)
        assert verdict == Keep("small")


async def test_the_system_prompt_is_neither_counted_nor_changed(stage: ContextStage) -> None:
    """However long the rules are, they are another stage's business."""
    rules = {"role": "system", "content": "Never give refunds over £40. " * 2_000}
    verdict, sent = await send(stage, [rules, *session(9), {"role": "user", "content": "Thanks."}])
    assert isinstance(verdict, Change)
    assert sent[0] is rules


async def test_a_long_session_is_cut_near_its_budget(stage: ContextStage) -> None:
    """At first sight of a long conversation what is sent is about the budget, and says how it came to be."""
    messages = [*session(30), {"role": "user", "content": "How many ice axes and camp chairs do we have?"}]
    verdict, sent = await send(stage, messages)
    assert isinstance(verdict, Change)
    assert count_messages(sent) <= 1.6 * 1_500 < count_messages(messages)
    assert verdict.detail["epochs"]
    assert verdict.detail["messages_cut"]
    assert sent[-1] is messages[-1]


async def test_what_the_question_is_about_is_there(stage: ContextStage) -> None:
    """The last question decides what is kept of the old part."""
    told = {"role": "user", "content": "Note: courier for Skye is Hebridean Haulage, account HH-20417, pallets only."}
    thanks = {"role": "assistant", "content": "Noted: Hebridean Haulage, account HH-20417."}
    asked = {"role": "user", "content": "What was the account of the courier for Skye, Hebridean Haulage?"}
    messages = [*session(6), told, thanks, *session(14), asked]
    _, sent = await send(stage, messages)
    assert "HH-20417" in written(sent[:-1])


async def test_left_out_passages_come_back_at_the_tail_and_stay(stage: ContextStage) -> None:
    """A later question brings back what it needs, just before itself, and later turns send it again."""
    told = {"role": "user", "content": "The Rannoch pallet broke: claim CLM-7781, driver Fergus, 14 boxes crushed."}
    messages: list[Body] = [*turn("tarps", 90), told, {"role": "assistant", "content": "Noted."}]
    number = 0
    while (await send(stage, [*messages, {"role": "user", "content": "Go on."}]))[0].reason != "cut":
        messages += turn(TOPICS[number % len(TOPICS)], number)
        number += 1
    messages += [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": "Going on."}]
    asked = {"role": "user", "content": "Which claim did we open for the Rannoch pallet, and how many boxes broke?"}
    _, sent = await send(stage, [*messages, asked])
    assert "CLM-7781" in written(sent[:-1])
    _, later = await send(stage, [*messages, asked, *turn("ropes", 80)[1:]])
    assert later[: len(sent)] == sent


@pytest.mark.parametrize("words", [12, 16, 20, 40])
async def test_each_later_question_gets_what_it_asks_for(words: int) -> None:
    """Questions far back, one after another: where a new cut would save next to nothing, too, the answer is there."""
    stage = ContextStage(ContextSettings(budget_tokens=900))
    messages: list[Body] = []
    for number, topic in enumerate(TOPICS):
        told = f"The supplier of {topic} moved: their new contract is CTR-{5000 + 37 * number}, signed by Fergus."
        messages += [{"role": "user", "content": told}, {"role": "assistant", "content": "Noted for the audit. " * 15}]
        messages += [
            {"role": "user", "content": f"Are {TOPICS[number - 8]} in the window?"},
            {"role": "assistant", "content": "They are, beside the door. " * 12},
        ]
    for number, topic in enumerate(TOPICS):
        messages.append({"role": "user", "content": f"Which contract has the supplier of {topic} since they moved?"})
        _, sent = await send(stage, messages)
        contract = f"CTR-{5000 + 37 * number}"
        assert contract in written(sent[:-1])
        messages.append({"role": "assistant", "content": f"It is {contract}. " + "It's on the list now. " * words})


async def test_a_question_of_words_that_often_occur_gets_what_has_them_together() -> None:
    """Each thing and each matter was spoken of again and again, the matter of the thing three times."""
    things = [topic.split()[-1] for topic in TOPICS[:10]]
    matters = ("price", "colour", "weight", "supplier", "label", "repair")
    pairs = [(thing, matter) for matter in matters for thing in things]
    notes = [
        f"The {matter} of the {thing} is in note {7 * (60 * again + number)}, which Fergus signed."
        for again in range(3)
        for number, (thing, matter) in enumerate(pairs)
    ]
    messages = [{"role": ("user", "assistant")[number % 2], "content": note} for number, note in enumerate(notes)]
    stage = ContextStage(ContextSettings(budget_tokens=1_500))
    for number in range(0, 60, 7):
        thing, matter = pairs[number]
        asked = {"role": "user", "content": f"What about the {matter} of the {thing}?"}
        _, sent = await send(stage, [*messages, asked])
        assert all(note in written(sent) for note in notes[number::60])


async def test_tool_results_are_shortened_in_place_as_json() -> None:
    """A result of many rows keeps its call, its id and its form."""
    rows = [{"sku": f"SKU-{n:04d}", "units": n, "aisle": f"A{n % 9}"} for n in range(400)]
    call = {"id": "call_1", "type": "function", "function": {"name": "list_stock", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "List all stock."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "name": "list_stock", "content": json.dumps(rows)},
        {"role": "assistant", "content": "That's the list."},
        {"role": "user", "content": "In which aisle is SKU-0123?"},
    ]
    _, sent = await send(ContextStage(ContextSettings(budget_tokens=1_500), without_cache), messages)
    result = next(message for message in sent if message["role"] == "tool")
    assert (result["tool_call_id"], result["name"]) == ("call_1", "list_stock")
    kept = json.loads(result["content"])
    assert list(rows[123].values()) in kept["rows"]
    assert any("rows]" in row for row in kept["rows"] if isinstance(row, str))


async def test_a_long_tool_loop_in_one_turn_is_cut_too(stage: ContextStage) -> None:
    """Old rounds of the current turn are background; the task and the latest round stay whole."""
    task = {"role": "user", "content": "Count everything in the shop, topic by topic, and never skip one."}
    messages = [task, *(message for n in range(25) for message in turn(TOPICS[n % 15], n)[1:3])]
    verdict, sent = await send(stage, messages)
    assert isinstance(verdict, Change)
    assert sent[0] is task
    assert sent[-1] is messages[-1]
    assert count_messages(sent) <= 1.5 * 1_500 + 200


async def test_a_long_result_is_cut_in_the_next_round(stage: ContextStage) -> None:
    """It stays whole while it is the newest, however long; a round later it's an old one like others."""
    task, rows = (
        {"role": "user", "content": "Which orders are late?"},
        "\n".join(f"order {n}: in time" for n in range(900)),
    )
    first, second = turn(TOPICS[0], 0)[1:3], turn(TOPICS[1], 1)[1:3]
    messages = [task, first[0], {**first[1], "content": rows}]
    assert (await send(stage, messages))[1] == tuple(messages)
    assert count_messages((await send(stage, [*messages, *second]))[1]) < 0.3 * count_messages(messages)
    before = [one for number in range(2, 8) for one in turn(TOPICS[number], number)[1:3]]
    longer = [task, *before, *messages[1:], *second]  # that one is an epoch's newest
    assert count_messages((await send(stage, longer))[1]) < 0.4 * count_messages(messages)


async def test_constraints_of_the_user_survive(stage: ContextStage) -> None:
    """What the user has laid down is not left out for being old."""
    rule = {"role": "user", "content": "From now on you must never quote prices without VAT."}
    messages = [*session(4), rule, {"role": "assistant", "content": "Understood."}, *session(16)]
    _, sent = await send(stage, [*messages, {"role": "user", "content": "Good. Next."}])
    assert "never quote prices without VAT" in written(sent)


async def test_a_repeated_mark_of_the_model_is_not_taken_for_ours(stage: ContextStage) -> None:
    """An assistant that quotes a mark doesn't stop the stage from working."""
    echo = {"role": "assistant", "content": f"{RECALL_HEAD}\nIt said [… 412 tokens left out]."}
    verdict, _ = await send(stage, [*session(12), echo, {"role": "user", "content": "And?"}])
    assert isinstance(verdict, Change)


@pytest.mark.parametrize(
    "text",
    [
        "A [… m3: 40 tokens left out] and [… m7: 9 tokens left out: 2 rows].",
        f"{SAME}get_stock(sku=TENT)]",
        f'{SAME_RECORD}get_stock(sku=TENT)"}}',
    ],
)
async def test_a_file_that_holds_marks_is_not_taken_for_ours(stage: ContextStage, text: str) -> None:
    """Reading this project's own tests doesn't stop the stage from working; the file's marks bring nobody astray."""
    file = {"role": "tool", "tool_call_id": "read", "content": f"{text}\n{'It was read, and says little. ' * 400}"}
    function = {"name": "read_file", "arguments": '{"path": "tests/test_marks.py"}'}
    call = {"id": "read", "type": "function", "function": function}
    messages = [*session(2), {"role": "assistant", "content": None, "tool_calls": [call]}, file, *session(8)]
    asked = [*messages, {"role": "user", "content": "Good. Next."}]
    verdict, sent = await send(stage, asked)
    assert isinstance(verdict, Change)
    assert count_messages(sent) < 0.5 * count_messages(asked)
    assert await send(stage, [dict(message) for message in sent]) == (Keep("kept"), sent)


@pytest.mark.parametrize("head", [DIGEST_HEAD, RECALL_HEAD])
@pytest.mark.parametrize("more", ["", " What does that mean?", "\nWhat does that mean?"])
async def test_a_user_may_begin_with_words_of_the_stage(stage: ContextStage, head: str, more: str) -> None:
    """Such a message is a user's like others: the conversation around it is shortened."""
    asked = [*session(3), {"role": "user", "content": head + more}, *session(15)]
    verdict, sent = await send(stage, asked)
    assert isinstance(verdict, Change)
    assert count_messages(sent) < 0.5 * count_messages(asked)
    assert await send(stage, [dict(message) for message in sent]) == (Keep("kept"), sent)


async def test_a_digest_that_a_user_quotes_is_a_text_like_others(stage: ContextStage) -> None:
    """It's known by its marks, which are of messages before it."""
    quoted = {"role": "user", "content": f"{DIGEST_HEAD}\n[… m2-m5]\nuser: How many tent poles do we have?"}
    verdict, _ = await send(stage, [*session(3), quoted, *session(15)])
    assert isinstance(verdict, Change)


async def test_calls_of_custom_tools_are_calls_like_others(stage: ContextStage) -> None:
    """An editor's patches, and what came of them, are shortened when they are old."""
    asked: list[Body] = [{"role": "user", "content": "Mend the tests."}]
    for number in range(30):
        patch = f"*** Update File: part_{number}.py\n" + "+ one line more\n" * 20
        made = {"name": "apply_patch", "input": patch}
        call = {"id": f"call_{number}", "type": "custom", "custom": made}
        result = {"role": "tool", "tool_call_id": f"call_{number}", "content": f"Success. Part {number} is new. " * 20}
        asked += [{"role": "assistant", "content": None, "tool_calls": [call]}, result]
    verdict, sent = await send(stage, asked)
    assert isinstance(verdict, Change)
    assert count_messages(sent) < 0.5 * count_messages(asked)
    made_in = [call["id"] for message in sent for call in message.get("tool_calls") or ()]
    assert made_in == [message["tool_call_id"] for message in sent if message["role"] == "tool"]


async def test_own_output_passes_unchanged(stage: ContextStage) -> None:
    """A digest at hand means: this has been through here."""
    verdict, sent = await send(stage, [*session(20), {"role": "user", "content": "And?"}])
    assert any(text_of(message.get("content")).startswith(DIGEST_HEAD) for message in sent)
    assert isinstance(verdict, Change)
    assert await send(stage, [dict(message) for message in sent]) == (Keep("kept"), sent)


async def test_the_reason_tells_an_epoch_from_its_later_turns(stage: ContextStage) -> None:
    """ "cut" is said once for each epoch, "stable" while its bytes are sent again."""
    reasons = [
        (await send(stage, session(20)[: place + 1]))[0].reason
        for place, message in enumerate(session(20))
        if message["role"] == "user"
    ]
    assert set(reasons) == {"small", "cut", "stable"}
    assert reasons.count("stable") > reasons.count("cut")


async def test_it_tells_what_it_holds(stage: ContextStage) -> None:
    """Bytes for each conversation that goes on, once and not for each turn; short ones hold nothing."""
    await send(stage, session(2))
    assert stage.memory_bytes == 0
    await send(stage, session(20))
    held = stage.memory_bytes
    assert held > 20 * count_messages(session(20))
    await send(stage, session(21))
    assert held < stage.memory_bytes < 1.2 * held


async def test_one_conversation_at_once_from_many_requests(stage: ContextStage) -> None:
    """Requests of one session at the same time don't disturb each other."""
    messages = session(40)
    ends = [len(messages) - 4 * n - 3 for n in range(6)] * 3
    sent = await asyncio.gather(*(send(stage, messages[:end]) for end in ends))
    settings = ContextSettings(budget_tokens=1_500, condense_results=False)
    alone = partial(ContextStage, settings, without_cache)
    for end, (_, out) in zip(ends, sent, strict=True):
        assert out == (await send(alone(), messages[:end]))[1]


async def test_a_later_turn_is_quick() -> None:
    """With the turns before it at hand, a turn costs a fraction of the whole conversation."""
    stage = ContextStage(ContextSettings())
    messages = session(160)
    begun = time.process_time()
    await send(stage, messages)
    cold = time.process_time()
    for number in range(10):
        messages += turn(f"new boots {number}", 200 + number)
        await send(stage, messages[:-3])
    assert (time.process_time() - cold) / 10 < (cold - begun) / 3


async def test_what_is_pinned_stays_as_it_is() -> None:
    """However long the conversation grows, and with its call: critical, neither condensed nor shortened."""
    on = ContextStage(ContextSettings(budget_tokens=1_500, steps=(1_000, 1_200, 1_400)), without_cache)
    messages = [*session(20), {"role": "user", "content": "Thanks, go on."}]
    plain = (await send(on, messages))[1]
    pinned = (messages[6], messages[11])
    for _ in range(2):  # also for a stage that knows the conversation without its pins
        request = ChatRequest(model="gpt-4o", messages=tuple(messages), controls=Controls(pinned=pinned))
        verdict = await on(request)
        assert isinstance(verdict, Change)
        sent = verdict.request.messages
        assert all(any(one is message for message in sent) for one in (*pinned, messages[5]))
        assert not any(one is message for one in (*pinned, messages[5]) for message in plain)
        assert count_messages(sent) < count_messages(messages)


async def test_pins_keep_the_prefix_stable() -> None:
    """Between epochs a turn is a prefix of the next; a pin of the newest message changes nothing before it."""
    on = ContextStage(ContextSettings(budget_tokens=1_500, condense_results=False))
    messages = session(24)
    before: tuple[Mapping[str, Any], ...] = ()
    cuts = 0
    for end in (end for end in range(1, len(messages)) if messages[end - 1]["role"] in ("user", "tool")):
        body = tuple(messages[:end])
        controls = Controls(pinned=tuple(m for m in body if "SLE-01" in text_of(m.get("content"))) + body[80:81])
        verdict = await on(ChatRequest(model="gpt-4o", messages=body, controls=controls))
        sent = verdict.request.messages if isinstance(verdict, Change) else body
        assert verdict.reason == "cut" or sent[: len(before)] == before
        assert end < 7 or any(message is messages[6] for message in sent)
        cuts += verdict.reason == "cut"
        before = sent
    assert cuts > 2


@pytest.mark.parametrize("budget", [1_500, 40_000], ids=["an epoch", "a step"])
async def test_the_text_beside_a_picture_is_shortened(budget: int) -> None:
    """A screenshot stays where it is, and counts as one picture; the page's text beside it is cut like any result."""
    data = f"data:image/png;base64,{'iVBORw0KGgoAAAANSUhEUgAA' * 4_000}"
    messages = session(12)
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            shot = {"type": "image_url", "image_url": {"url": f"{data}{number:04d}"}}
            message["content"] = [{"type": "text", "text": message["content"]}, shot, {"type": "text", "text": "Done."}]
    stage = ContextStage(
        ContextSettings(budget_tokens=budget, condense_results=False, steps=(1_000, 1_200, 1_400)),
        lambda _: CacheRates(read=1.0, write=1.0),
    )
    verdict = await stage(ChatRequest(model="gpt-4o", messages=(*messages, {"role": "user", "content": "Sum?"})))
    assert isinstance(verdict, Change)
    sent = verdict.request.messages
    blocks = [message["content"] for message in sent if message["role"] == "tool"]
    shots = [message["content"][1] for message in messages if message["role"] == "tool"]
    assert [content[1] for content in blocks] == shots
    cut = [content for content in blocks if len(content) == 2]
    assert len(cut) >= 8
    assert all("left out" in content[0]["text"] for content in cut)
    before, after = (count_messages(some) - 12 * PICTURE_TOKENS for some in (messages, sent))
    assert after < 0.75 * before


async def test_pictures_do_not_put_a_cut_off() -> None:
    """They stay in any case: what was carried along is reckoned without them, as what a cut leaves is."""
    messages = session(40)
    for message in messages:
        if message["role"] == "tool":
            shot = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
            message["content"] = [{"type": "text", "text": message["content"]}, shot]
    settings = ContextSettings(budget_tokens=1_500, condense_results=False)
    stage = ContextStage(settings, lambda _: CacheRates(read=0.25, write=1.0))
    _, sent = await send(stage, messages)
    pictures = 40 * PICTURE_TOKENS
    assert count_messages(sent) - pictures < 0.6 * (count_messages(messages) - pictures)


async def test_calls_that_are_messages_of_their_own_are_cut_like_others(stage: ContextStage) -> None:
    """So the Responses API has them, side by side before their results; one epoch more or less, and as few tokens."""
    together, apart = list[Body](), list[Body]()
    for number in range(24):
        question, said, result, answer = turn(TOPICS[number % len(TOPICS)], number)
        calls = [{**said["tool_calls"][0], "id": f"{number}_{n}"} for n in range(3)]
        results = [{**result, "tool_call_id": call["id"]} for call in calls]
        together += [question, {**said, "tool_calls": calls}, *results, answer]
        apart += [question, *({**said, "tool_calls": [call]} for call in calls), *results, answer]
    sent = [(await send(stage, messages))[1] for messages in (together, apart)]
    assert count_messages(sent[1]) < 1.2 * count_messages(sent[0]) < 0.2 * count_messages(apart)
    calls = [call["id"] for message in sent[1] for call in message.get("tool_calls") or ()]
    assert [message["tool_call_id"] for message in sent[1] if message["role"] == "tool"] == calls


async def test_results_of_a_thinking_model_are_shortened() -> None:
    """Thoughts with their signatures, and pictures, stay as they came; the results beside them are cut all the same."""
    stage = ContextStage(ContextSettings(budget_tokens=1_500, condense_results=False), without_cache)
    messages = session(12)
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    for number in range(12):
        thought = {"type": "thinking", "thinking": "Where to look?", "signature": f"signed-{number}"}
        messages[4 * number + 1]["thinking_blocks"] = [thought]
    messages[6]["content"] = [{"type": "text", "text": "as pictured"}, picture]
    verdict = await stage(
        ChatRequest(model="claude-sonnet-4-5", messages=(*messages, {"role": "user", "content": "Sum?"}))
    )
    assert isinstance(verdict, Change)
    sent = verdict.request.messages
    for fixed in (*messages[1::4], messages[6]):
        assert any(message is fixed for message in sent)
    calls = [call["id"] for message in sent for call in message.get("tool_calls") or ()]
    assert [message["tool_call_id"] for message in sent if message["role"] == "tool"] == calls
    assert count_messages(sent) - PICTURE_TOKENS < 0.6 * (count_messages(messages) - PICTURE_TOKENS)


def cost(sent: Sequence[Sequence[Mapping[str, Any]]], rates: CacheRates) -> float:
    """What requests after each other cost, in input tokens, where the provider remembers the last one."""
    total, last = 0.0, list[Mapping[str, Any]]()
    for messages in sent:
        same = next((n for n, (one, other) in enumerate(zip(messages, last, strict=False)) if one != other), len(last))
        total += rates.read * count_messages(messages[:same]) + rates.write * count_messages(messages[same:])
        last = list(messages)
    return total


def rounds(tokens: int, count: int) -> list[Body]:
    """A task, and calls whose results take about so many tokens each."""
    messages: list[Body] = [{"role": "user", "content": "Find what is late."}]
    for number in range(count):
        call, result = turn(TOPICS[number % len(TOPICS)], number)[1:3]
        rows = "\n".join(f"order {number}-{row} at {17 * row % 911}: in time" for row in range(tokens // 13))
        messages += [call, {**result, "content": rows}]
    return messages


@pytest.mark.parametrize("size", [1_500, 6_000])
async def test_an_epoch_comes_once_waiting_for_it_has_cost_as_much(size: int) -> None:
    """The dearer it is to send anew what was sent, the fewer epochs; other numbers of them cost hardly less."""
    messages = rounds(size, 24)
    came = [messages[:end] for end in range(1, len(messages) + 1) if messages[end - 1]["role"] != "assistant"]
    sent = {}
    for rates in (CacheRates(), CacheRates(read=0.5, write=1.0), CacheRates(read=1.0, write=1.0)):
        on = ContextStage(ContextSettings(condense_results=False), lambda _, rates=rates: rates)
        found = [await send(on, one) for one in came]
        sent[rates] = (found[-1][0].detail["epochs"], [messages for _, messages in found])
    epochs = [made for made, _ in sent.values()]
    assert epochs[0] <= epochs[1] <= epochs[2] > 0
    for rates, (_, own) in sent.items():
        assert cost(own, rates) <= 1.1 * min(cost(others, rates) for _, others in sent.values())
        assert cost(own, rates) <= cost(came, rates)


@pytest.mark.parametrize("shape", ["agent's tools", "short messages"])
async def test_whether_an_epoch_pays_is_mostly_known_before_it_is_cut(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it leaves is about what the last one left, and what it says again has little room."""
    made: list[None] = []

    def counted(*args: Any, **named: Any) -> cutting.Cut:
        made.append(None)
        return cutting.cut(*args, **named)

    monkeypatch.setattr(folding, "cut", counted)
    on = ContextStage(ContextSettings(condense_results=False))
    epochs = (await send(on, conversation(shape, 50_000, seed=8)))[0].detail["epochs"]
    assert epochs > 4
    assert len(made) <= 1.5 * epochs


async def test_where_thoughts_fill_the_budget_an_epoch_pays() -> None:
    """A cut that leaves more than the budget all the same is not made at a price that it won't save."""
    thought = {"type": "thinking", "thinking": "Where to look? " * 60, "signature": "signed"}
    messages = [{**one, "thinking_blocks": [thought]} if one.get("tool_calls") else one for one in session(40)]
    came = [messages[:end] for end in range(1, len(messages) + 1) if messages[end - 1]["role"] in ("user", "tool")]
    epochs, costs = [], []
    for rates in (CacheRates(), CacheRates(read=1.0, write=1.0)):
        on = ContextStage(ContextSettings(budget_tokens=3_000), lambda _, rates=rates: rates)
        found = [await send(on, one) for one in came]
        epochs.append(found[-1][0].detail["epochs"])
        costs.append(cost([sent for _, sent in found], rates) / cost(came, rates))
    assert epochs[0] < epochs[1]
    assert max(costs) < 0.85


@pytest.mark.parametrize("turns", [9, 10, 11])
async def test_what_is_asked_is_there_though_thoughts_fill_the_budget(stage: ContextStage, turns: int) -> None:
    """Thoughts that stay as they came leave no room; the user's own short message is quoted all the same."""
    messages = session(turns)
    for number in range(turns):
        thought = {"type": "thinking", "thinking": "Where to look? " * 60, "signature": f"signed-{number}"}
        messages[4 * number + 1]["thinking_blocks"] = [thought]
    messages[8]["content"] = "The badge number of the storekeeper is FH-7731. How many gas stoves do we have?"
    question = {"role": "user", "content": "What was the badge number of the storekeeper?"}
    verdict = await stage(ChatRequest(model="claude-sonnet-4-5", messages=(*messages, question)))
    assert isinstance(verdict, Change)
    assert "FH-7731" in written(verdict.request.messages)


async def test_additions_go_whole_when_they_are_far_back(stage: ContextStage) -> None:
    """Of sections of the instructions that came before questions the last ones stay to the letter, the others go."""
    sections = [added(f"{HEAD}## Stock of {topic}\n\nCounted on Mondays.") for topic in TOPICS]
    messages = [one for number in range(15) for one in (sections[number], *turn(TOPICS[number], number))][1:]
    verdict = await stage(ChatRequest(model="gpt-4o", messages=(*messages, {"role": "user", "content": "And now?"})))
    assert isinstance(verdict, Change)
    left = [message for message in verdict.request.messages if HEAD.strip() in text_of(message.get("content"))]
    assert 1 <= len(left) < len(sections) - 1
    assert left == sections[-len(left) :]
