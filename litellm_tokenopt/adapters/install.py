"""Switching the plugin on and off, without a trace left behind."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping
from os import PathLike
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger

from ..settings import Settings, load_settings
from .delivery import DeliveryCache
from .hooks import TokenOptCallback, installed
from .interpose import Interposer
from .lazy_callback import LazyCallback
from .plugin import Plugin
from .routes import add_routes, remove_routes

logger = logging.getLogger("litellm_tokenopt")

# LiteLLM copies an entry of `callbacks` into the other lists at the first call.
_CALLBACK_LISTS = (
    "callbacks",
    "input_callback",
    "success_callback",
    "failure_callback",
    "service_callback",
    "_async_input_callback",
    "_async_success_callback",
    "_async_failure_callback",
)

THREADS = "tokenopt"
"""How the names of all our threads begin."""

EXIT_SECONDS = 30.0

_lock = threading.RLock()
_installed: Installation | None = None


class Installation:
    """The plugin, and all that it has put into LiteLLM."""

    def __init__(self, settings: Settings) -> None:
        self.plugin = Plugin(settings)
        self.callback = TokenOptCallback(self.plugin)
        self.interposers = [
            Interposer(litellm.completion, "chat", self.plugin),
            Interposer(litellm.acompletion, "chat", self.plugin),
            Interposer(litellm.responses, "responses", self.plugin),
            Interposer(litellm.aresponses, "responses", self.plugin),
            Interposer(litellm.anthropic_messages, "messages", self.plugin),
        ]
        self.plugin.answers_own_tools = all(interposer.installed for interposer in self.interposers)
        keep_slot(self.plugin)
        add_routes(self.plugin)

    def remove(self) -> None:
        """Restore LiteLLM as it was; calls under way pass on as they are."""
        try:
            self.plugin.close()
        finally:
            self._restore()

    def _restore(self) -> None:
        for interposer in reversed(self.interposers):
            interposer.restore()
        for items in _callback_lists():
            items[:] = [item for item in items if item is not self.callback]
        if isinstance(litellm.cache, DeliveryCache) and litellm.cache._plugin is self.plugin:
            litellm.cache = litellm.cache.operator
        remove_routes()


def keep_slot(plugin: Plugin) -> None:
    """Put our delivery into ``litellm.cache``, in front of a cache that an operator has set (perhaps since)."""
    if not plugin.awaits_replies or isinstance(litellm.cache, DeliveryCache):
        return
    with _lock:
        if not plugin.portal.closed and not isinstance(litellm.cache, DeliveryCache):
            litellm.cache = DeliveryCache(plugin, litellm.cache)


def enable(settings: Settings | Mapping[str, Any] | str | PathLike[str] | None = None) -> Any:
    """Switch the plugin on for every LiteLLM call of this process, and return its callback.

    *settings*: a mapping, `Settings`, a YAML file's path, or None for defaults. Called again, it starts afresh with
    the new settings. Raises `SettingsError` that names each wrong field; nothing is changed then.
    """
    checked = load_settings(settings)
    with _lock:
        callback = _install(checked)
        if not installed(callback):
            litellm.callbacks.append(callback)
        return callback


def disable() -> None:
    """Switch the plugin off and restore LiteLLM exactly. Does nothing when it's not on."""
    global _installed
    with _lock:
        if _installed is not None:
            _installed.remove()
            _installed = None


def proxy_callback() -> TokenOptCallback:
    """The instance that ``callbacks: ["litellm_tokenopt.callback"]`` names, with ``callback_settings`` applied."""
    with _lock:
        if _installed is not None:
            return _installed.callback
        given = getattr(litellm, "callback_settings", None) or {}
        own = given.get("litellm_tokenopt") if isinstance(given, Mapping) else None
        return _install(load_settings(own))


def waiting_callback() -> CustomLogger:
    """The same to whoever only looks at it: LiteLLM stays as it is until it calls it."""
    with _lock:
        return _installed.callback if _installed is not None else LazyCallback(_take_over)


def _take_over(waiting: CustomLogger) -> CustomLogger:
    """Install the plugin, in the place that *waiting* has in LiteLLM's lists."""
    with _lock:
        callback = proxy_callback()
        for items in _callback_lists():
            items[:] = [callback if item is waiting else item for item in items]
        return callback


def _callback_lists() -> list[list[Any]]:
    return [items for name in _CALLBACK_LISTS if isinstance(items := getattr(litellm, name, None), list)]


def _install(settings: Settings) -> TokenOptCallback:
    global _installed
    disable()
    _installed = Installation(settings)
    _installed.plugin.warm()
    return _installed.callback


@atexit.register
def _send_what_waits() -> None:
    """At exit threads take no more work, so connections are left to the system; telemetry still goes out.

    A thread that the interpreter's end finds inside an import keeps that import's lock for ever, and LiteLLM's own
    clean-up imports: so ours come to their end first, those of a plugin that has been switched off too.
    """
    if _installed is not None:
        _installed.plugin.portal.stop()
    until = time.monotonic() + EXIT_SECONDS
    while (left := until - time.monotonic()) > 0 and (thread := _one_of_ours()) is not None:
        thread.join(left)
    if _installed is not None:
        _installed.plugin.optimizer.recorder.close()


def _one_of_ours() -> threading.Thread | None:
    """A thread that still runs; one may start another in its last moments."""
    return next((thread for thread in threading.enumerate() if thread.name.startswith(THREADS)), None)
