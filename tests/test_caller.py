"""Who calls: the tenant, the caller's own metadata, and the headers that go to the model."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_tokenopt.caller import headers_of, own_metadata, tenant_of
from litellm_tokenopt.request import Tenant

PROXY = {
    "user_api_key_hash": "k", "user_api_key": "k", "user_api_key_team_id": "t", "user_api_key_user_id": "u",
    "user_api_key_spend": 0.0, "user_api_end_user_max_budget": None, "endpoint": "http://h/v1", "user_agent": "x",
    "queue_time_seconds": 0.3, "litellm_received_at": "2026", "model_group": "m", "attempted_retries": 0,
    "a_guardrails_findings": [{"ms": 1.5}], "_routing_request_tags": (), "headers": {"x": "y"},
}  # fmt: skip


@pytest.mark.parametrize("name", ["client", "workspace", "company", "project", "tenant_id", "userTier", "spend_logs"])
def test_whatever_the_sdks_caller_writes_is_its_own(name: str) -> None:
    """No name has to look like a tenant's."""
    assert own_metadata({name: "a", "model_group": "m", "tags": ["x"], "tokenopt": {}}, "chat") == {name: "a"}


@pytest.mark.parametrize(
    "name", ["trace_id", "traceId", "session_id", "generation_id", "request-id", "X-Request-ID", "timestamp", "run_id"]
)
def test_names_that_trace_calls_are_left_out(name: str) -> None:
    """What is new with every call or session would let nothing be found again."""
    assert own_metadata({name: "1", "client": "a"}, "chat") == {"client": "a"}


@pytest.mark.parametrize("sent", [{"tenant_id": "A"}, {"site": {"id": 7}}])
def test_the_proxys_caller_is_known_by_its_body(sent: dict[str, Any]) -> None:
    """What LiteLLM and guardrails add is not the caller's; the body's metadata is."""
    chat = {**PROXY, **sent, "requester_metadata": {**sent, "headers": {"x": "y"}, "trace_id": "1"}}
    responses = {**PROXY, "requester_metadata": sent}
    assert own_metadata(chat, "chat") == own_metadata(responses, "responses") == sent
    assert own_metadata(PROXY, "chat") == {}


def test_the_proxys_own_metadata_slot_counts_too() -> None:
    """A body's ``litellm_metadata`` ends up among LiteLLM's names, without a copy."""
    assert own_metadata({**PROXY, "tenant_id": "A", "requester_metadata": {}}, "chat") == {"tenant_id": "A"}


def test_anthropics_user_is_an_end_user() -> None:
    """A ``user_id`` is metadata in other APIs."""
    assert own_metadata({"user_id": "u"}, "messages") == {}
    assert tenant_of({}, {"user_id": "u"}, "messages") == Tenant(end_user="u")
    assert own_metadata({"user_id": "u"}, "chat") == {"user_id": "u"}


def test_a_caller_without_a_key_is_still_the_proxys() -> None:
    """With a token in place of a key, team and user are known all the same."""
    named = {"user_api_key_hash": None, "user_api_key_team_id": "t", "user_api_key_user_id": "u"}
    assert tenant_of({"api_key": "the server's"}, named, "chat") == Tenant(team="t", user="u")


@pytest.mark.parametrize("option", ["headers", "extra_headers", "default_headers"])
def test_headers_are_kept_as_digests(option: str) -> None:
    """Their values tell callers apart and are not repeated."""
    one, two = (headers_of({option: {"X-Tenant": tenant, "Authorization": "secret"}}) for tenant in "ab")
    assert one.keys() == {"x-tenant", "authorization"}
    assert one["x-tenant"] != two["x-tenant"]
    assert one["authorization"] == two["authorization"]
    assert "secret" not in repr(one)


@pytest.mark.parametrize("name", ["traceparent", "X-Request-Id", "User-Agent", "x-stainless-retry-count", "b3"])
def test_headers_that_trace_are_left_out(name: str) -> None:
    """They are new with every call."""
    assert headers_of({"extra_headers": {name: "1"}}) == {}
