"""What ``litellm_tokenopt.callback`` is to whoever merely looks at it: nothing in LiteLLM changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from litellm.types.utils import CallTypes

from ..saying import Sayings

logger = logging.getLogger("litellm_tokenopt")


class LazyCallback(CustomLogger):
    """Installs the plugin when LiteLLM first calls it.

    *install* does that, puts the plugin's own callback in the place of this one, and returns it. An async call is
    seen to from the first on, a sync one from the second.
    """

    def __init__(self, install: Callable[[CustomLogger], CustomLogger]) -> None:
        super().__init__()
        self._install = install
        self._say = Sayings(logger)

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: CallTypes | None
    ) -> dict[str, Any] | None:
        """LiteLLM's hook on every async call."""
        callback = self._installed()
        return await callback.async_pre_call_deployment_hook(kwargs, call_type) if callback else None

    def log_pre_api_call(self, model: str, messages: Any, kwargs: Any) -> None:
        """LiteLLM's word before it asks a model, in sync calls too."""
        self._installed()

    def _installed(self) -> CustomLogger | None:
        try:
            return self._install(self)
        except Exception as error:
            self._say("install", "the plugin can't be switched on; requests pass on as they are: %s", error)
            return None
