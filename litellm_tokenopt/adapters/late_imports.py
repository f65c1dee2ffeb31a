"""What LiteLLM imports when it's first needed, on the caller's event loop, and could have been imported before."""

from __future__ import annotations

import importlib
import logging

logger = logging.getLogger(__name__)

MODULES = (
    "litellm.integrations.otel",
    "litellm.proxy.openai_files_endpoints.common_utils",
    # Asked for at the first success wherever a callback is registered; brings most of the proxy with it.
    "litellm.litellm_core_utils.custom_logger_registry",
    "litellm.integrations.shadow_eval_logger",
    # Asked for at the first answer that a cache gives.
    "litellm.llms.anthropic.pass_through.messages.response_cache",
    "litellm.responses.streaming_iterator",
)
"""In LiteLLM 1.108, in the order in which a first call asks for them. A version without one of them does without it."""


def import_now() -> None:
    """Import them. Takes a second or two, so in a thread; LiteLLM too imports in threads."""
    for name in MODULES:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever an import does: LiteLLM will say itself if it needs the module
            logger.debug("%s is left to LiteLLM: %r", name, error)
