"""Fewer tokens, a smaller bill and quicker answers from LiteLLM.

In Python: ``litellm_tokenopt.enable({...})``. In LiteLLM's proxy: ``litellm_settings: {callbacks:
["litellm_tokenopt.callback"]}``. Nothing heavy is imported before the first request.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters.install import disable, enable
    from .cache.manager import SemanticCacheManager
    from .errors import InputError, ModelUnavailable, RedisUnavailable, SettingsError, TokenOptError, UnavailableError
    from .optimizer import TokenOptimizer, open_cache
    from .settings import Settings, load_settings
    from .tools.registry import ToolRegistry

    callback: Any

__version__ = "0.1.0"

__all__ = [
    "InputError",
    "ModelUnavailable",
    "RedisUnavailable",
    "SemanticCacheManager",
    "Settings",
    "SettingsError",
    "TokenOptError",
    "TokenOptimizer",
    "ToolRegistry",
    "UnavailableError",
    "callback",
    "disable",
    "enable",
    "load_settings",
    "open_cache",
]

_HOMES = {
    **dict.fromkeys(("disable", "enable"), ".adapters.install"),
    **dict.fromkeys(("Settings", "load_settings"), ".settings"),
    **dict.fromkeys(("TokenOptimizer", "open_cache"), ".optimizer"),
    "SemanticCacheManager": ".cache.manager",
    "ToolRegistry": ".tools.registry",
}


def __getattr__(name: str) -> Any:
    if name == "callback":
        install = import_module(".adapters.install", __name__)
        # LiteLLM asks because its configuration names it; others (debuggers, doc tools, dir) only look.
        asker = str(sys._getframe(1).f_globals.get("__name__"))
        return install.proxy_callback() if asker.split(".")[0] == "litellm" else install.waiting_callback()
    if name in __all__:
        return getattr(import_module(_HOMES.get(name, ".errors"), __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
