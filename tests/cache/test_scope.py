"""What must be equal before two requests may share an answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.cache.scope import NOT_SHAPING, Scope, entry_key, scope_of
from litellm_tokenopt.request import ChatRequest, Controls, Tenant
from litellm_tokenopt.settings import CacheSettings

SETTINGS = CacheSettings()
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
OURS = {"key": "k", "team": "t", "user": "u", "end_user": "e"}
BASE = ChatRequest(
    model="gpt-4o",
    messages=(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]},
    ),
    tools=(TOOL,),
    tool_choice="auto",
    tenant=Tenant(**OURS),
    controls=Controls(namespace="n"),
    options={"temperature": 0, "response_format": {"type": "json_object"}},
)


def scope(request: ChatRequest, share: Any = "user", embedder: str = "m") -> Scope:
    return scope_of(request, SETTINGS.model_copy(update={"share": share}), embedder)


def replaced(index: int, message: dict[str, Any]) -> ChatRequest:
    return BASE.with_(messages=(*BASE.messages[:index], message, *BASE.messages[index + 1 :]))


CHANGES = {
    "model": BASE.with_(model="gpt-4o-mini"),
    "system": replaced(0, {"role": "system", "content": "Be long."}),
    "developer": replaced(0, {"role": "developer", "content": "Be brief."}),
    "history": replaced(1, {"role": "user", "content": "Hello."}),
    "reply": replaced(2, {"role": "assistant", "content": "Hi", "name": "x"}),
    "no history": BASE.with_(messages=BASE.messages[3:]),
    "image": replaced(3, {"role": "user", "content": [{"type": "text", "text": "What is this?"}]}),
    "image place": replaced(3, {"role": "user", "content": [IMAGE, {"type": "text", "text": "What is this?"}]}),
    "sender": replaced(3, {**BASE.messages[3], "name": "ann"}),
    "tools": BASE.with_(tools=()),
    "tool twice": BASE.with_(tools=(TOOL, TOOL)),
    "tool_choice": BASE.with_(tool_choice="none"),
    "surface": BASE.with_(surface="responses"),
    "namespace": BASE.with_(controls=Controls(namespace="o")),
    "no namespace": BASE.with_(controls=Controls()),
    "temperature": BASE.with_(options={**BASE.options, "temperature": 0.1}),
    "format": BASE.with_(options={"temperature": 0}),
    "headers": BASE.with_(options={**BASE.options, "headers": {"x-tenant": "1"}}),
    "organization": BASE.with_(options={**BASE.options, "organization": "o"}),
    "metadata": BASE.with_(metadata={"client": "a"}),
    "unknown option": BASE.with_(options={**BASE.options, "frobnicate": True}),
    **{
        f"tenant {name}": BASE.with_(tenant=Tenant(**{**OURS, name: value}))
        for name in ("key", "team", "user", "end_user")
        for value in ("other",)
    },
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_shapes_the_answer_splits_the_scope(name: str) -> None:
    """A change in any of these gives another scope."""
    assert scope(CHANGES[name]).id != scope(BASE).id


def test_no_two_of_the_changes_meet() -> None:
    """Different changes give different scopes, too."""
    ids = [scope(request).id for request in CHANGES.values()]
    assert len(set(ids)) == len(ids)


def test_the_question_alone_is_outside() -> None:
    """Another question is in the same scope, under another key."""
    other = replaced(3, {"role": "user", "content": [{"type": "text", "text": "What is that?"}, IMAGE]})
    one, two = scope(BASE), scope(other)
    assert one.id == two.id
    assert (one.question, two.question) == ("What is this?", "What is that?")
    assert entry_key(one.id, one.question) != entry_key(two.id, two.question)


@pytest.mark.parametrize("name", sorted(NOT_SHAPING))
def test_delivery_does_not_matter(name: str) -> None:
    """How an answer is delivered has no part in the scope: streams and plain calls share."""
    assert scope(BASE.with_(options={**BASE.options, name: 5})) == scope(BASE)


def test_embedder_and_order_of_keys() -> None:
    """Another embedder is another scope; another order of keys is not."""
    turned = BASE.with_(options=dict(reversed(list(BASE.options.items()))))
    assert scope(turned) == scope(BASE)
    assert scope(BASE, embedder="n").id != scope(BASE).id


@pytest.mark.parametrize(
    ("share", "counts"),
    [("key", {"key"}), ("team", {"team"}), ("user", {"key", "team", "user", "end_user"}), ("global", set())],
)
def test_share_says_whose_answers(share: str, counts: set[str]) -> None:
    """Tenants that differ where `share` looks never meet; elsewhere they do."""
    for name in ("key", "team", "user", "end_user"):
        other = BASE.with_(tenant=Tenant(**{**OURS, name: "x"}))
        assert (scope(other, share).id != scope(BASE, share).id) == (name in counts)


@pytest.mark.parametrize(
    ("share", "unknown", "owner"),
    [
        ("team", ("team",), "key"),
        ("team", ("team", "key"), "user"),
        ("team", ("team", "key", "user"), "end_user"),
        ("key", ("key",), "user"),
        ("key", ("key",), "team"),
        ("user", ("user", "end_user"), "key"),
        ("user", ("user", "key"), "end_user"),
    ],
)
def test_an_unknown_owner_gives_way_to_a_narrower(share: str, unknown: tuple[str, ...], owner: str) -> None:
    """Requests without a team, a key or a user are not all one caller's."""
    known = {**OURS, **dict.fromkeys(unknown)}
    one, two = (scope(BASE.with_(tenant=Tenant(**{**known, owner: name})), share) for name in "ab")
    assert one.id != two.id


def test_a_keys_name_is_no_teams() -> None:
    """What one kind of owner shares, another of the same name doesn't get."""
    assert scope(BASE.with_(tenant=Tenant(team="x")), "team").id != scope(BASE.with_(tenant=Tenant(key="x")), "team").id


@pytest.mark.parametrize("share", ["key", "team", "user"])
def test_callers_metadata_counts(share: str) -> None:
    """Whatever a caller says of itself must be equal, but for what the settings ignore."""
    one, two = (BASE.with_(metadata={"client": name, "site": {"id": 1}}) for name in "ab")
    assert scope(one, share).id != scope(two, share).id
    assert scope(one, "global").id == scope(two, "global").id
    ignoring = CacheSettings(share=share, ignore_metadata=("Client",))
    assert scope_of(one, ignoring, "m") == scope_of(two, ignoring, "m")


def test_ignored_names_hold_for_headers() -> None:
    """A header that means nothing to the model can be left out too."""
    one, two = (BASE.with_(options={"headers": {"x-shard": name}}) for name in "ab")
    assert scope(one).id != scope(two).id
    ignoring = CacheSettings(ignore_metadata=("X-Shard",))
    assert scope_of(one, ignoring, "m") == scope_of(two, ignoring, "m")


def test_tool_results_make_it_exact() -> None:
    """Behind the last question, messages are part of the scope, and nothing similar will do."""
    result = {"role": "tool", "tool_call_id": "1", "content": "42"}
    one = scope(BASE.with_(messages=(*BASE.messages, result)))
    two = scope(BASE.with_(messages=(*BASE.messages, {**result, "content": "43"})))
    assert not one.similar
    assert scope(BASE).similar
    assert len({one.id, two.id, scope(BASE).id}) == 3


texts = st.text(max_size=8)
message = st.builds(
    lambda role, content, extra: {"role": role, "content": content, **extra},
    st.sampled_from(["user", "assistant", "system", "tool"]),
    st.one_of(texts, st.none(), st.lists(st.builds(lambda t: {"type": "text", "text": t}, texts), max_size=2)),
    st.dictionaries(st.sampled_from(["name", "tool_call_id"]), texts, max_size=1),
)
histories = st.lists(message, max_size=3).map(tuple)


@settings(max_examples=200, deadline=None)
@given(histories, histories, st.text(max_size=3), st.text(max_size=3))
def test_no_hit_across_histories(one: tuple[Any, ...], two: tuple[Any, ...], model: str, other: str) -> None:
    """Two requests share a scope only if history and model are equal."""
    last = {"role": "user", "content": "q"}
    first = scope(ChatRequest(model=model, messages=(*one, last)))
    second = scope(ChatRequest(model=other, messages=(*two, last)))
    assert (first.id == second.id) == (one == two and model == other)


def test_cheap_on_long_requests() -> None:
    """Sixty thousand tokens of history and sixty tools take a few milliseconds at most."""
    history = tuple({"role": "user" if i % 2 else "assistant", "content": "lorem ipsum " * 200} for i in range(100))
    request = BASE.with_(messages=(*history, BASE.messages[-1]), tools=(TOOL,) * 60)
    best = min(_seconds(request) for _ in range(5))
    assert best < 0.02


def _seconds(request: ChatRequest) -> float:
    begun = time.perf_counter()
    scope(request)
    return time.perf_counter() - begun
