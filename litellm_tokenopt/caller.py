"""Who calls, as LiteLLM's keyword arguments tell it: the tenant, the caller's own metadata, and headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from .request import Surface, Tenant, digest

Kwargs: TypeAlias = Mapping[str, Any]

HEADER_OPTIONS = ("default_headers", "headers", "extra_headers")

_LITELLM_NAME = re.compile(r"_|litellm|user_api_(?:key|end_user)")
_LITELLM_NAMES = frozenset(
    "api_base attempted_fallbacks attempted_retries caching_groups caller_tags client_disconnected compression_savings "
    "deployment deployment_model_name endpoint global_max_parallel_requests guardrails headers hidden_params "
    "inherited_tags llm_api_timing_windows max_retries model_group model_group_alias model_group_size model_info "
    "original_model_group previous_models queue_time_seconds raw_request request_retry_count requester_ip_address "
    "requester_metadata routing_decision standard_logging_guardrail_information tags tokenopt used_client_oauth_token "
    "user_agent".split()
)
_TRACING_NAMES = frozenset(
    "baggage callid chatid conversationid correlationid createdat eventid existingtraceid generationid generationname "
    "interactionid invocationid messageid nonce parentgenerationid parentobservationid parentrunid parentspanid "
    "requestid requesttime runid sentryid session sessionid sessionname spanid spanname starttime threadid time "
    "timestamp traceid tracename traceparent tracestate transactionid turnid uuid xrequestid xcorrelationid".split()
)
_TRACING_HEADER = re.compile(
    r"traceparent|tracestate|baggage|user-agent|idempotency-key|sentry-trace|uber-trace-id|b3|x-b3-.*|"
    r"(?:x-)?(?:client-)?(?:request|correlation|trace|session|conversation|transaction)-id|x-amzn-trace-id|"
    r"x-cloud-trace-context|x-datadog-.*|x-stainless-.*|x-forwarded-.*|x-real-ip|x-litellm-(?:trace|session|call)-id|"
    r"accept|accept-encoding|accept-language|cache-control|connection|content-length|content-type|date|host"
)


def tenant_of(kwargs: Kwargs, metadata: Mapping[str, Any], surface: Surface) -> Tenant:
    """Whose request it is. The proxy says it in *metadata*; in the SDK it's ``api_key`` and ``user``.

    `metadata` is LiteLLM's; an Anthropic request's ``user_id`` is its end user.
    """
    user = kwargs.get("user") or kwargs.get("safety_identifier")
    anthropic_user = metadata.get("user_id") if surface == "messages" else None
    if not _from_proxy(metadata):
        key = kwargs.get("api_key")
        return Tenant(
            key=digest(key) if isinstance(key, str) else None, user=_text(user), end_user=_text(anthropic_user)
        )
    return Tenant(
        key=_text(metadata.get("user_api_key_hash") or metadata.get("user_api_key")),
        team=_text(metadata.get("user_api_key_team_id")),
        user=_text(metadata.get("user_api_key_user_id")),
        end_user=_text(metadata.get("user_api_key_end_user_id") or user or anthropic_user),
    )


def own_metadata(metadata: Mapping[str, Any], surface: Surface) -> dict[str, Any]:
    """What the caller wrote into *metadata*, without LiteLLM's own names and those that trace a single call."""
    taken = {"user_id"} if surface == "messages" else set()
    written = _as_sent(metadata) if _from_proxy(metadata) else metadata
    return {
        name: value
        for name, value in written.items()
        if value is not None and name not in taken and not _is_litellms(name) and not traces(name)
    }


def traces(name: str) -> bool:
    """Whether metadata of this *name* tells calls or sessions apart, not callers."""
    return re.sub(r"[^a-z0-9]", "", name.lower()) in _TRACING_NAMES


def headers_of(kwargs: Kwargs) -> dict[str, str]:
    """The digest of each header that goes to the model's server, by lower-case name; without those that trace."""
    return {name: digest(str(value)) for name, value in _headers(kwargs) if not _TRACING_HEADER.fullmatch(name)}


def _headers(kwargs: Kwargs) -> Iterator[tuple[str, Any]]:
    for option in HEADER_OPTIONS:
        headers = kwargs.get(option)
        if isinstance(headers, Mapping):
            yield from ((str(name).lower(), value) for name, value in headers.items())


def _from_proxy(metadata: Mapping[str, Any]) -> bool:
    return any(name.startswith("user_api_key") and value is not None for name, value in metadata.items())


def _as_sent(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The body's metadata of a request through the proxy.

    LiteLLM keeps a copy of it, but merges the body's ``litellm_metadata`` into its own names: of those, plain values
    are taken for the caller's, since what LiteLLM and its guardrails add anew for each call is mostly structured.
    """
    copy = metadata.get("requester_metadata")
    plain = {name: value for name, value in metadata.items() if isinstance(value, (str, int))}
    return {**plain, **(copy if isinstance(copy, Mapping) else {})}


def _is_litellms(name: str) -> bool:
    return name in _LITELLM_NAMES or _LITELLM_NAME.match(name) is not None


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None
