"""Where a call's spans belong: under LiteLLM's own, through the tracer of its OpenTelemetry callback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import litellm

from ..convert import metadata_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer


def trace_parent(kwargs: Mapping[str, Any]) -> tuple[Span | None, Tracer | None]:
    """(the proxy's server span of this call, the tracer that LiteLLM exports through); None where there is none."""
    metadata = metadata_of(kwargs)
    span = metadata.get("litellm_parent_otel_span") or getattr(
        metadata.get("user_api_key_auth"), "parent_otel_span", None
    )
    return span, _litellm_tracer()


def _litellm_tracer() -> Tracer | None:
    for callback in litellm.callbacks:
        tracer = getattr(callback, "tracer", None)
        if tracer is not None and hasattr(tracer, "start_span"):
            return tracer  # type: ignore[no-any-return]
    return None
