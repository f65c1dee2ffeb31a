"""What stands behind a name of a Router's, the proxy's included."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import litellm
from litellm.router import Router

from ..convert import metadata_of
from .pricing import list_price


def priced_as(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The names whose prices hold for the call in *kwargs*, sorted: one of each deployment that its group has,
    whichever was picked. None where no Router is known to make the call.

    A deployment is known by its id where its own price is set, else by its base model or model; the group's name stands
    for one without a price.
    """
    metadata = metadata_of(kwargs)
    group, picked = metadata.get("model_group"), _part(metadata, "model_info").get("id")
    if not isinstance(group, str) or picked is None:
        return ()
    team = metadata.get("user_api_key_team_id")
    for router in _routers():
        deployments = router.get_model_list(group, team_id=team) or ()
        if any(_part(one, "model_info").get("id") == picked for one in deployments):
            return tuple(sorted({_priced_as(one, group) for one in deployments}))
    return ()


def _routers() -> Iterator[Any]:
    """Those under way: each Router has LiteLLM tell it of its calls."""
    yield from filter(None, [getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)])
    for callback in tuple(litellm._async_success_callback):
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, Router):
            yield owner


def _priced_as(deployment: Mapping[str, Any], group: str) -> str:
    params, info = _part(deployment, "litellm_params"), _part(deployment, "model_info")
    names = (info.get("id"), info.get("base_model"), params.get("base_model"), params.get("model"))
    return next((name for name in names if isinstance(name, str) and any(list_price(name) or ())), group)


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}
