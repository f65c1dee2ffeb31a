"""A model's summaries of what was left out: when they are used, and what becomes of those that are no good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from litellm_tokenopt.asking import Said
from litellm_tokenopt.background import Background
from litellm_tokenopt.context.marks import is_own
from litellm_tokenopt.context.spans import Span
from litellm_tokenopt.context.stage import ContextStage
from litellm_tokenopt.context.summaries import Summaries, checked, extract, most_tokens
from litellm_tokenopt.errors import RedisUnavailable
from litellm_tokenopt.request import ChatRequest, text_of
from litellm_tokenopt.savings import CacheRates
from litellm_tokenopt.settings import ContextSettings
from litellm_tokenopt.stage import Change
from litellm_tokenopt.tokens import count_messages, count_text

Body = dict[str, Any]
Sent = tuple[Mapping[str, Any], ...]
SETTINGS = ContextSettings(budget_tokens=1_500, condense_results=False, summary_model="told")
TOPICS = ("tents", "bags", "stoves", "jackets", "ropes", "shoes", "torches", "filters", "maps", "axes", "chairs")
IN_SHORT = "in short: Stock so far"


class Model:
    """Summarises by what the assistant has said; counts what it's asked, and may be told to fail or to talk."""

    def __init__(self, says: str | Exception | None = None) -> None:
        self.asked: list[str] = []
        self.says = says

    async def __call__(self, messages: Sequence[Mapping[str, str]]) -> Said:
        text = json.loads(messages[-1]["content"])
        self.asked.append(text)
        if isinstance(self.says, Exception):
            raise self.says
        lines = [line.removeprefix("assistant: ") for line in text.splitlines() if line.startswith("assistant: ")]
        return Said(self.says if self.says is not None else f"Stock so far. {' '.join(lines)}", 100)


class Shared:
    """Texts that workers share; `away`: nobody answers."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.away = False

    async def get_many(self, keys: Sequence[str]) -> list[str | None]:
        if self.away:
            raise RedisUnavailable("away")
        return [self.texts.get(key) for key in keys]

    async def first(self, key: str, text: str) -> str:
        if self.away:
            raise RedisUnavailable("away")
        return self.texts.setdefault(key, text)


class Worker:
    """A stage as one process has it."""

    def __init__(self, model: Model | None = None, shared: Shared | None = None) -> None:
        self.told: list[str] = []
        self.model = model or Model()
        self.calls = Background(600, lambda _: None)
        self.stage = ContextStage(
            SETTINGS,
            lambda _: CacheRates(read=1.0, write=1.0),
            summaries=Summaries(
                "told", self.model, self.calls, budget_tokens=1_500, shared=shared, told=self.told.append
            ),
        )

    async def send(self, messages: Sequence[Body], *, idle: bool = True) -> tuple[str, Sent]:
        verdict = await self.stage(ChatRequest(model="gpt-4o", messages=tuple(messages)))
        if idle:
            await self.calls.idle()
        return verdict.reason, verdict.request.messages if isinstance(verdict, Change) else tuple(messages)


def session(turns: int) -> list[Body]:
    """Turns of about 330 tokens: a question, a call, its result, an answer."""
    return [message for number in range(turns) for message in turn(TOPICS[number % len(TOPICS)], number)]


def turn(topic: str, number: int) -> list[Body]:
    rows = [{"sku": f"{topic[:3].upper()}-{number:02d}{row:02d}", "units": 17 * row + number} for row in range(12)]
    function = {"name": "get_stock", "arguments": json.dumps({"topic": topic})}
    return [
        {"role": "user", "content": f"How many {topic} do we have?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "function": function}]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": json.dumps(rows)},
        {"role": "assistant", "content": f"There are {sum(r['units'] for r in rows)} {topic} in Leeds."},
    ]


def requests(turns: int) -> list[list[Body]]:
    """The requests of a session, as the client sends them one after the other."""
    messages = session(turns)
    return [messages[:end] for end in range(1, len(messages)) if messages[end - 1]["role"] in ("user", "tool")]


def summarised(sent: Sent) -> bool:
    return any(IN_SHORT in text_of(message.get("content")) for message in sent if is_own(message))


async def walk(worker: Worker, turns: int) -> list[tuple[str, Sent]]:
    return [await worker.send(messages) for messages in requests(turns)]


async def test_a_summary_is_used_from_the_next_cut_on() -> None:
    """The cut that leaves something out has it made; the bytes of a running epoch never change."""
    sent = await walk(Worker(), 40)
    for (_, before), (reason, after) in pairwise(sent):
        assert reason == "cut" or after[: len(before)] == before
    cuts = [messages for reason, messages in sent if reason == "cut"]
    used = [summarised(messages) for messages in cuts]
    assert used[:3] == [False, True, True]
    assert used.count(True) > 0.8 * len(used)
    assert all(count_messages(messages) < 1.5 * 1_500 + 400 for _, messages in sent)


async def test_each_stretch_is_summarised_once() -> None:
    """By its content, however many turns go on from it."""
    worker = Worker()
    await walk(worker, 40)
    asked = worker.model.asked
    assert len(asked) == len(set(asked)) > 3
    assert worker.told == ["made"] * len(asked)


async def test_another_worker_sends_the_same_bytes() -> None:
    """Also one that sees a conversation late, when more has been summarised than its cuts could use."""
    shared = Shared()
    first = Worker(shared=shared)
    sent = await walk(first, 40)
    for at in range(0, len(sent), 7):
        late = Worker(shared=shared)
        assert await late.send(requests(40)[at]) == sent[at]
        assert late.model.asked == []


async def test_turns_that_come_at_once_use_them_too() -> None:
    """As where the cache answered those between: a cut amid new messages takes what there is, for other workers too."""
    shared = Shared()
    worker = Worker(shared=shared)
    some = requests(40)[::6]
    sent = [await worker.send(messages) for messages in some]
    assert sum(summarised(messages) for _, messages in sent) >= 0.6 * len(sent)
    for messages, (_, before) in zip(some, sent, strict=True):
        assert (await Worker(Model(ConnectionError("away")), shared).send(messages))[1] == before


async def test_workers_in_turn_agree() -> None:
    """Requests of one session that go round between workers are as those of one."""
    shared = Shared()
    workers = [Worker(shared=shared) for _ in range(3)]
    sent = [await workers[n % 3].send(messages) for n, messages in enumerate(requests(40))]
    for (_, before), (reason, after) in pairwise(sent):
        assert reason == "cut" or after[: len(before)] == before
    assert any(summarised(messages) for _, messages in sent)


class Outrun(Shared):
    """Another worker writes down its decision, *theirs*, just before ours arrives."""

    def __init__(self, theirs: Mapping[str, str]) -> None:
        super().__init__()
        self.theirs = theirs

    async def first(self, key: str, text: str) -> str:
        return await super().first(key, self.theirs.get(key, text))


async def test_who_cuts_first_decides() -> None:
    """A worker that is outrun sends what the other has written down, also where it had no summary itself."""
    shared = Shared()
    first = Worker(shared=shared)
    sent = await walk(first, 24)
    at = max(n for n, (reason, messages) in enumerate(sent) if reason == "cut" and summarised(messages))
    decided = {key: text for key, text in shared.texts.items() if key.startswith("epoch")}
    *before, newest = decided
    store = Outrun({newest: decided[newest]})
    store.texts = {key: decided[key] for key in before}
    late = Worker(Model(ConnectionError("away")), store)
    assert await late.send(requests(24)[at]) == sent[at]


async def test_a_lost_record_costs_one_rewrite() -> None:
    """Without the store another worker quotes instead, stays with that, and nothing fails."""
    sent = await walk(Worker(shared=Shared()), 24)
    late = Worker(Model(ConnectionError("away")))
    _, again = await late.send(requests(24)[-1])
    assert not summarised(again)
    assert summarised(sent[-1][1])
    for messages in requests(26)[len(requests(24)) :]:
        reason, after = await late.send(messages)
        assert reason == "cut" or after[: len(again)] == again
        again = after


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        (ConnectionError("away"), "failed"),
        (TimeoutError(), "failed"),
        ("", "refused:empty"),
        ("Stock so far. " + "We looked at this and at that. " * 120, "refused:long"),
        ("Stock so far. There are 987654 tents.", "refused:invented"),
    ],
)
async def test_where_there_is_no_good_summary_it_is_as_without(says: str | Exception, outcome: str) -> None:
    """What was quoted before is quoted still, byte for byte; the outcome is told, and tries come to an end."""
    settings = SETTINGS.model_copy(update={"summary_model": None})
    plain = ContextStage(settings, lambda _: CacheRates(read=1.0, write=1.0))
    worker = Worker(Model(says))
    for messages in requests(24):
        verdict = await plain(ChatRequest(model="gpt-4o", messages=tuple(messages)))
        expected = verdict.request.messages if isinstance(verdict, Change) else tuple(messages)
        assert await worker.send(messages) == (verdict.reason, expected)
    assert set(worker.told) == {outcome}
    assert all(worker.model.asked.count(text) <= 2 for text in worker.model.asked)


async def test_a_store_that_is_away_changes_little() -> None:
    """Each process remembers for itself; requests go on."""
    shared = Shared()
    shared.away = True
    sent = await walk(Worker(shared=shared), 30)
    assert any(summarised(messages) for _, messages in sent)
    for (_, before), (reason, after) in pairwise(sent):
        assert reason == "cut" or after[: len(before)] == before


async def test_requests_do_not_wait_for_summaries() -> None:
    """The model may take its time: a request is back before."""
    worker = Worker()
    held = asyncio.Event()
    ask = worker.model.__call__

    async def slow(messages: Sequence[Mapping[str, str]]) -> Said:
        await held.wait()
        return await ask(messages)

    worker.stage._summaries._ask = slow  # type: ignore[union-attr]
    for messages in requests(24):
        await asyncio.wait_for(worker.send(messages, idle=False), 5)
    assert worker.told == []
    held.set()
    await worker.calls.idle()
    assert set(worker.told) == {"made"}


def span(text: str, said: str = "") -> Span:
    return Span(range(1), 0, 0, count_text(text), text, said or text, "key")


STORY = " ".join(f"Order FH-{n:04d} of {n * 13}.50 GBP was sent to Leeds on day {n}." for n in range(60))


FH3 = "Orders FH-0003 (39.50 GBP), FH-0004 (52.50 GBP) and FH-0005 (65.50 GBP) went to Leeds."


@pytest.mark.parametrize(
    ("text", "used"),
    [
        (FH3, FH3),
        (f"- {FH3}\n- All were sent.\n", f"- {FH3} - All were sent."),
        (f"{FH3} So did FH-0061. All is well.", f"{FH3} All is well."),
        ("Orders were sent to Leeds.", "Orders were sent to Leeds."),
    ],
)
def test_what_is_used_of_a_summary(text: str, used: str) -> None:
    """All that was said; a sentence with what nobody has named goes. A short one takes no room from facts."""
    assert checked(span(STORY), text) == (used, "")


def test_of_a_summary_that_is_too_long_the_first_sentences_are_used() -> None:
    """If they are most of it."""
    text = " ".join(f"Order FH-{n:04d} of {n * 13}.50 GBP was sent to Leeds." for n in range(18))
    used, fault = checked(span(STORY), text)
    assert not fault
    assert text.startswith(used)
    assert used.endswith("Leeds.")
    assert 0.8 * most_tokens(span(STORY)) < count_text(used) <= most_tokens(span(STORY))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Orders FH-0003, FH-0004 and FH-0061 went to Leeds.", "invented"),
        ("Three orders, 39.51 GBP.", "invented"),
        ("Many orders were sent, each of them by courier, and they have all arrived at their place. " * 9, "facts"),
        ("\n ", "empty"),
        (STORY, "long"),
    ],
)
def test_what_makes_a_summary_no_good(text: str, fault: str) -> None:
    """It must be short, hold what was said, and nothing that wasn't."""
    assert checked(span(STORY), text) == ("", fault)


async def test_a_summary_that_is_not_used_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Once for each reason, so that nobody looks for it in vain."""
    await walk(Worker(Model("There are 987654 tents.")), 24)
    (said,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "told is not used: most of it tells of numbers or ids that nobody has named" in said.getMessage()


async def test_who_cannot_ask_uses_what_others_have_made() -> None:
    """As `tokenopt explain` does: the same bytes, and nothing is asked or written."""
    shared = Shared()
    sent = await walk(Worker(shared=shared), 24)
    written = dict(shared.texts)
    late = Worker(shared=shared)
    late.stage._summaries._ask = None  # type: ignore[union-attr]
    assert await late.send(requests(24)[-1]) == sent[-1]
    await late.send([*requests(24)[-1], *requests(40)[-1][len(requests(24)[-1]) :]])
    assert shared.texts == written


def test_an_extract_is_part_of_the_text_and_short() -> None:
    """Whole passages, in their order, within the tokens."""
    found = extract(STORY, most_tokens(span(STORY)))
    assert 0 < count_text(found) <= most_tokens(span(STORY)) * 1.1
    assert all(passage in STORY for passage in found.splitlines())
