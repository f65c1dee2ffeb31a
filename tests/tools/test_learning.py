"""What is learned from the use of tools."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from litellm_tokenopt.cli import main
from litellm_tokenopt.redis.embedded import find_parts
from litellm_tokenopt.redis.endpoint import resolve
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.request import ChatRequest, Reply, Tenant
from litellm_tokenopt.settings import RedisSettings, ToolsSettings
from litellm_tokenopt.tools import ToolsStage
from litellm_tokenopt.tools.learning import Learning, UsageStore, as_rows
from litellm_tokenopt.tools.lessons import PRIOR, Lessons, Snapshot, is_harmed, learn
from litellm_tokenopt.tools.usage import Counts, Event, events, label_of, session_of

REPLY = Reply(text="", finish="stop", has_tool_calls=False, payload={})
BLUE = Tenant(team="blue")


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def call(name: str, result: str = "done", call_id: str = "c1") -> list[dict[str, Any]]:
    function = {"name": name, "arguments": "{}"}
    return [
        {"role": "assistant", "tool_calls": [{"id": call_id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": call_id, "content": result},
    ]


def request_of(*messages: dict[str, Any], tools: Sequence[Any] = (), tenant: Tenant = BLUE) -> ChatRequest:
    return ChatRequest(model="m", messages=tuple(messages), tools=tuple(tools), tenant=tenant)


def seen(request: ChatRequest, chosen: set[str], full: set[str] = frozenset()) -> set[tuple[str, str]]:  # type: ignore[assignment]
    sent = chosen | {"a", "b"}
    return {(e.tool, e.what) for e in events(request, session_of(request), sent=sent, chosen=chosen, full=full)}


def test_a_conversation_shows_what_became_of_its_tools() -> None:
    """Chosen by the question, called by the model, called though not chosen, and failed."""
    request = request_of(user("hi"), *call("a"), *call("b", "Error: no such thing", "c2"))
    assert seen(request, {"a"}) == {("a", "chosen"), ("a", "called"), ("b", "called"), ("b", "found"), ("b", "failed")}


def test_a_turn_sent_again_shows_the_same_events() -> None:
    """Later turns repeat the earlier ones' events under the same keys, and add their own."""
    first = request_of(user("hi"), *call("a"))
    later = request_of(user("hi"), *call("a"), user("more"), *call("a", call_id="c2"))
    keys = [
        {e.key for e in events(r, session_of(r), sent={"a"}, chosen={"a"}, full=()) if e.what == "called"}
        for r in (first, later)
    ]
    assert keys[0] < keys[1]
    assert len(keys[1]) == 2


def test_usage_belongs_to_the_team_the_key_or_the_user() -> None:
    """In this order; of a key only the first letters of its hash."""
    assert label_of(Tenant(team="blue", key="k", user="u")) == "team:blue"
    assert label_of(Tenant(key="0123456789abcdef", user="u")) == "key:0123456789ab"
    assert label_of(Tenant(user="u")) == "user:u"
    assert label_of(Tenant()) == "-"


def test_frequent_tools_gain_rank_and_rare_ones_do_not() -> None:
    """The most used gains most; too few calls say nothing."""
    lessons = learn({"often": Counts(called=500), "some": Counts(called=20), "once": Counts(called=1)})
    assert lessons.priors["often"] == PRIOR
    assert 0 < lessons.priors["some"] < PRIOR
    assert "once" not in lessons.priors


@pytest.mark.parametrize(
    ("counts", "harmed"),
    [
        (Counts(called=140, failed=42, full_called=40, full_failed=2), True),
        (Counts(called=140, failed=42, full_called=40, full_failed=12), False),
        (Counts(called=140, failed=0, full_called=40, full_failed=0), False),
        (Counts(called=25, failed=25, full_called=5, full_failed=0), False),
        (Counts(called=60, failed=10, full_called=50, full_failed=0), False),
    ],
    ids=["fails more when short", "fails alike", "never fails", "too few full", "too few short"],
)
def test_a_tool_is_harmed_if_clearly_more_calls_fail_with_its_short_schema(counts: Counts, harmed: bool) -> None:
    """Compared with sessions that had the full one, and only with enough calls of both."""
    assert is_harmed(counts) is harmed
    assert ("t" in learn({"t": counts}).full) is harmed


def test_a_full_schema_once_given_back_stays() -> None:
    """Otherwise it would come and go."""
    assert learn({}, Lessons(full=frozenset({"t"}))).full == {"t"}


def test_snapshots_survive_their_text() -> None:
    """What is written is read."""
    snapshot = Snapshot(version=3, valid_from=9.5, tenants={"-": Lessons(priors={"a": 0.1}, full=frozenset({"b"}))})
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


@pytest.fixture
async def store() -> AsyncIterator[UsageStore]:
    """Usage in an embedded Redis, emptied first."""
    if find_parts() is None:
        pytest.skip("needs a server: pip install 'litellm-tokenopt[local]' on Python 3.11")
    pool = RedisPool(RedisSettings(url="embedded", timeout_seconds=5))
    prefix = f"usage-test-{time.time_ns()}"
    yield UsageStore(pool, prefix)
    await pool.aclose()


async def test_an_event_counts_once_whoever_reports_it(store: UsageStore) -> None:
    """Two workers that see the same turn count it once; another tenant's counts are its own."""
    called, failed = Event(key="1", tool="a", what="called"), Event(key="2", tool="a", what="failed", full=True)
    assert await store.count("team:blue", [called]) == [called]
    assert await store.count("team:blue", [called, failed]) == [failed]
    await store.count("-", [Event(key="3", tool="b", what="chosen")])
    assert await store.counts() == {
        "-": {"b": Counts(chosen=1)},
        "team:blue": {"a": Counts(called=1, failed=1, full_failed=1)},
    }
    assert [row["tool"] for row in as_rows(await store.counts())] == ["b", "a"]


async def test_a_snapshot_counts_once_every_worker_has_read_it(store: UsageStore) -> None:
    """Until then, and where another version is pinned, nothing changes."""
    await store.count("team:blue", [Event(key=str(n), tool="a", what="called") for n in range(9)])
    first = await store.publish(time.time() - 3600)
    await store.publish(time.time())
    request = request_of(user("hi"))

    async def lessons(version: int | None, asker: ChatRequest = request) -> Lessons:
        return await Learning(store, canary_fraction=0.0, version=version).lessons(asker)

    assert first.version == 1
    assert (await lessons(None)).priors == {"a": PRIOR}
    assert (await lessons(2)).priors == {"a": PRIOR}
    assert (await lessons(7)) == Lessons()
    assert (await lessons(None, request_of(user("hi"), tenant=Tenant()))) == Lessons()


async def test_one_worker_publishes_and_only_what_changed(store: UsageStore) -> None:
    """Of workers that try at once one publishes; then nobody does for a day, nor where there is nothing new."""
    now, day = time.time(), 86_400
    assert await store.publish_rarely(now, 0.01) is None
    await asyncio.sleep(0.05)
    await store.count("team:blue", [Event(key=str(n), tool="a", what="called") for n in range(9)])
    published = await asyncio.gather(*(store.publish_rarely(now, 0.2) for _ in range(5)))
    assert [one.version for one in published if one is not None] == [1]
    await asyncio.sleep(0.3)
    assert await store.publish_rarely(now + day, 0.01) is None
    await asyncio.sleep(0.05)
    await store.count("team:blue", [Event(key=f"b{n}", tool="b", what="called") for n in range(9)])
    assert await store.publish_rarely(now + 60, day) is None
    assert [one.version for one in await store.snapshots()] == [1]


async def test_lessons_are_published_as_requests_come(
    store: UsageStore, learning_stage: Callable[..., ToolsStage], catalogue: Any
) -> None:
    """The follow-up of a request publishes what is due; unless it's left to the command."""
    await store.count("team:blue", [Event(key=str(n), tool="play_music", what="called") for n in range(9)])
    for hours, versions in ((0.0, []), (24.0, [1])):
        request = request_of(user(f"Book a flight to Oslo, {hours}"), tools=catalogue)
        verdict = await learning_stage(publish_seconds=hours * 3600)(request)
        await verdict.then(REPLY)  # type: ignore[union-attr]
        assert [one.version for one in await store.snapshots()] == versions


async def test_a_running_session_keeps_the_lessons_of_its_first_turn(store: UsageStore) -> None:
    """New ones are for new sessions, in every worker."""
    workers = [Learning(store, canary_fraction=0.0) for _ in range(2)]
    running = request_of(user("first"))
    assert await workers[0].lessons(running) == Lessons()
    await store.count("team:blue", [Event(key=str(n), tool="a", what="called") for n in range(9)])
    await store.publish(time.time() - 3600)
    later = Learning(store, canary_fraction=0.0)
    for worker in (*workers, later):
        assert await worker.lessons(request_of(user("first"), *call("a"), user("more"))) == Lessons()
    assert (await later.lessons(request_of(user("second")))).priors == {"a": PRIOR}


async def test_without_redis_requests_go_on(catalogue: Any, embedder: Any) -> None:
    """No lessons, nothing counted, nothing raised."""
    learning = Learning(UsageStore(RedisPool(RedisSettings(url="redis://127.0.0.1:1")), "x"), canary_fraction=0.0)
    stage = ToolsStage(ToolsSettings(max_tools=6), embedder, learning)
    verdict = await stage(request_of(user("Book a flight"), tools=catalogue))
    assert verdict.then is not None  # type: ignore[union-attr]
    assert await verdict.then(REPLY) is None  # type: ignore[union-attr]


@pytest.fixture
def learning_stage(store: UsageStore, embedder: Any) -> Callable[..., ToolsStage]:
    def make(canary: float = 0.0, **more: Any) -> ToolsStage:
        return ToolsStage(ToolsSettings(max_tools=6), embedder, Learning(store, canary_fraction=canary, **more))

    return make


async def test_sessions_are_counted_turn_by_turn(
    store: UsageStore, learning_stage: Callable[..., ToolsStage], catalogue: Any
) -> None:
    """Each turn adds what is new in it, in every worker; what was counted is told."""
    observed: list[Event] = []
    workers = [learning_stage(observe=observed.extend), learning_stage(observe=observed.extend)]
    turns = [user("Book a flight to Oslo"), *call("book_flight"), user("Now play music")]
    turns += call("play_music", "Error: no", "c2")
    for end in (1, 3, 4, 6, 6):
        for stage in workers:
            verdict = await stage(request_of(*turns[:end], tools=catalogue))
            if verdict.then is not None:  # type: ignore[union-attr]
                await verdict.then(REPLY)  # type: ignore[union-attr]
    counts = (await store.counts())["team:blue"]
    assert counts["book_flight"] == Counts(chosen=1, called=1)
    assert (counts["play_music"].called, counts["play_music"].failed) == (1, 1)
    assert len(observed) == sum(c.chosen + c.called + c.found + c.failed for c in counts.values())
    settled = await workers[0](request_of(*turns, tools=catalogue))
    assert settled.then is None  # type: ignore[union-attr]


async def test_canary_sessions_get_full_schemas(learning_stage: Callable[..., ToolsStage], catalogue: Any) -> None:
    """So that failures with short ones can be compared."""
    request = request_of(user("Book a flight to Oslo"), tools=catalogue)
    sent = (await learning_stage(canary=1.0)(request)).request.tools  # type: ignore[union-attr]
    assert all(tool in catalogue for tool in sent)
    sent = (await learning_stage(canary=0.0)(request)).request.tools  # type: ignore[union-attr]
    assert not any(tool in catalogue for tool in sent)


async def test_lessons_change_rank_and_schemas(
    store: UsageStore, learning_stage: Callable[..., ToolsStage], catalogue: Any
) -> None:
    """A tool that fails when short comes in full, as every worker decides alike."""
    for n in range(200):
        full = n % 2 == 0
        happened = [Event(key=f"{n}", tool="book_flight", what="called", full=full)]
        happened += [] if full or n % 3 else [Event(key=f"f{n}", tool="book_flight", what="failed")]
        await store.count("team:blue", happened)
    await store.publish(time.time() - 3600)
    request = request_of(user("Book a flight to Oslo"), tools=catalogue)
    blocks = [(await learning_stage()(request)).request.tools for _ in range(2)]  # type: ignore[union-attr]
    assert blocks[0] == blocks[1]
    (flight,) = [tool for tool in blocks[0] if tool["function"]["name"] == "book_flight"]
    assert flight in catalogue
    assert sum(tool in catalogue for tool in blocks[0]) == 1


async def test_the_command_shows_counts_and_publishes_lessons(
    store: UsageStore, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table and as JSON; lessons name what gains."""
    await store.count("team:blue", [Event(key=str(n), tool="book_flight", what="called") for n in range(9)])
    path = tmp_path / "settings.yaml"
    url = resolve(RedisSettings(url="embedded")).url
    path.write_text(json.dumps({"redis": {"url": url, "prefix": store.prefix, "timeout_seconds": 5}}))

    async def said(*arguments: str) -> str:
        assert await asyncio.to_thread(main, ["tools", *arguments, "--settings", str(path)]) == 0
        return capsys.readouterr().out

    (row,) = json.loads(await said("stats", "--json"))
    assert (row["tenant"], row["tool"], row["called"], row["chosen"]) == ("team:blue", "book_flight", 9, 0)
    await store.count("team:blue", [Event(key="idle", tool="play_music", what="chosen")])
    assert "team:blue: chosen, but never called: play_music" in await said("stats")
    assert json.loads(await said("stats", "--json", "--tenant", "team:red")) == []
    assert json.loads(await said("publish", "--json"))["tenants"]["team:blue"]["priors"] == {"book_flight": PRIOR}
    assert (await said("publish")).startswith("version 2, valid in 1")


def test_without_redis_the_command_says_so(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What a process counts in its memory is out of reach of a command."""
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps({"redis": {"url": "memory"}}))
    assert main(["tools", "stats", "--settings", str(path)]) == 1
    assert "redis.url is memory" in capsys.readouterr().err
