"""HTTP routes that the plugin adds to LiteLLM's proxy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..errors import UnavailableError

if TYPE_CHECKING:
    from fastapi.routing import APIRoute
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response

    from .plugin import Plugin

HEALTH_PATH = "/tokenopt/health"
CACHE_PATH = "/tokenopt/cache"
ENTRIES_PATH = "/tokenopt/cache/entries"
FEEDBACK_PATH = "/tokenopt/cache/feedback"
ENTRIES_LISTED, ENTRIES_LISTED_MOST = 100, 1_000


def add_routes(plugin: Plugin) -> None:
    """Serve the plugin's routes, if the proxy runs in this process.

    ``GET /tokenopt/health`` needs no key, like LiteLLM's liveliness. With the proxy's admin key:
    ``GET /tokenopt/cache`` (how much is kept, and how often it was wrong), ``GET /tokenopt/cache/entries`` and
    ``DELETE /tokenopt/cache``, both with conditions as parameters (key, tag, model, tenant, older_than: 90, 15m, 12h,
    7d), the former with limit, the latter with ``all=true`` in place of conditions; and
    ``POST /tokenopt/cache/feedback`` with ``{"key": …, "verdict": "right" | "wrong"}`` (the key is in the header
    ``x-tokenopt-cache-key`` of a hit). Without Redis they speak of the worker's own memory.
    """
    server = sys.modules.get("litellm.proxy.proxy_server")
    app = getattr(server, "app", None)
    if app is None:
        return
    remove_routes()
    # In front, since the proxy ends with routes that match any path.
    app.router.routes[:0] = [_health_route(plugin), *_cache_routes(plugin)]


def remove_routes() -> None:
    """Take the plugin's routes off again."""
    app = getattr(sys.modules.get("litellm.proxy.proxy_server"), "app", None)
    if app is not None:
        ours = {HEALTH_PATH, CACHE_PATH, ENTRIES_PATH, FEEDBACK_PATH}
        app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) not in ours]


def _health_route(plugin: Plugin) -> Any:
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def health(_: Request) -> JSONResponse:
        parts = await plugin.portal.wait(plugin.optimizer.health())
        healthy = all(part["ok"] for part in parts.values())
        body: dict[str, Any] = {"status": "ok" if healthy else "degraded", "mode": plugin.settings.mode, "parts": parts}
        return JSONResponse(body, status_code=200 if healthy else 503)

    return Route(HEALTH_PATH, health, methods=["GET"])


# --- the answer cache -----------------------------------------------------------------------------------------


def _cache_routes(plugin: Plugin) -> list[Any]:
    served = (
        (CACHE_PATH, "GET", _stats),
        (ENTRIES_PATH, "GET", _entries),
        (CACHE_PATH, "DELETE", _remove),
        (FEEDBACK_PATH, "POST", _feedback),
    )
    return [_admin_route(plugin, *route) for route in served]


class _NotKept(Exception):
    """There is no such answer."""


_STATUS: Mapping[type[Exception], int] = {_NotKept: 404, ValueError: 400, UnavailableError: 503}

Answering = Callable[["Plugin", Mapping[str, str]], Coroutine[Any, Any, Any]]


def _admin_route(plugin: Plugin, path: str, method: str, answer: Answering) -> Any:
    """A route for the proxy's admins alone, which gives what *answer* makes of the query's and the body's values."""
    from fastapi import Depends, HTTPException
    from fastapi.routing import APIRoute
    from litellm.proxy._types import LitellmUserRoles, UserAPIKeyAuth
    from litellm.proxy.auth.user_api_key_auth import user_api_key_auth
    from starlette.requests import Request
    from starlette.responses import JSONResponse

    async def serve(request: Request, user: UserAPIKeyAuth) -> JSONResponse:
        request.state.tokenopt_known = True
        if user.user_role != LitellmUserRoles.PROXY_ADMIN:
            raise HTTPException(403, {"error": f"only a proxy admin may ask for {path}"})
        try:
            given = {**_once(request.query_params), **(await _body(request) if request.method == "POST" else {})}
            return JSONResponse(await plugin.portal.wait(answer(plugin, given)))
        except tuple(_STATUS) as error:
            status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
            raise HTTPException(status, {"error": str(error)}) from None

    # Names of this function's own imports: as texts they could not be looked up.
    serve.__annotations__ = {"request": Request, "user": UserAPIKeyAuth}
    serve.__defaults__ = (Depends(user_api_key_auth),)
    return _admins_only(APIRoute)(path, serve, methods=[method], include_in_schema=False, response_model=None)


def _admins_only(route: type[APIRoute]) -> type[APIRoute]:
    """*route*, saying 401 to whom LiteLLM can't tell, and 400 where a body is none that its authentication reads.

    Without a database LiteLLM says 400 for an unknown key, and 500 for none.
    """
    from fastapi import HTTPException
    from litellm.proxy._types import ProxyException

    class AdminRoute(route):  # type: ignore[misc, valid-type]
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                try:
                    if request.method == "POST":
                        await _body(request)
                    return await handle(request)  # type: ignore[no-any-return]
                except ValueError as error:
                    raise HTTPException(400, {"error": str(error)}) from None
                except (ProxyException, ImportError) as error:
                    if getattr(request.state, "tokenopt_known", False) or _says_why(error):
                        raise
                    raise HTTPException(401, {"error": "a proxy admin's key is needed"}) from None

            return guarded

    return AdminRoute


def _says_why(error: Exception) -> bool:
    """Whether LiteLLM refused a request for a reason of the caller's, not for want of a database or its package."""
    return getattr(error, "type", "no_db_connection") != "no_db_connection"


async def _stats(plugin: Plugin, _: Mapping[str, str]) -> dict[str, Any]:
    return asdict(await plugin.optimizer.parts.cache.stats())


async def _entries(plugin: Plugin, query: Mapping[str, str]) -> dict[str, Any]:
    from ..cache.inspection import described

    cache = plugin.optimizer.parts.cache
    found = await cache.entries(**_conditions(query, "limit"), limit=_limit(query.get("limit")))
    return {"entries": [described(entry, cache.age(entry)) for entry in found]}


async def _remove(plugin: Plugin, query: Mapping[str, str]) -> dict[str, Any]:
    conditions = _conditions(query, "all")
    everything = query.get("all") == "true"
    if everything == bool(conditions):
        raise ValueError("name what to remove: key, tag, model, tenant, older_than, or all=true without these")
    cache = plugin.optimizer.parts.cache
    return {"removed": await (cache.clear() if everything else cache.invalidate(**conditions))}


async def _feedback(plugin: Plugin, given: Mapping[str, str]) -> dict[str, Any]:
    from ..cache.inspection import verdict_of

    key = given.get("key", "")
    if not await plugin.optimizer.parts.cache.report(key, verdict_of(given.get("verdict"))):
        raise _NotKept(f"no answer is kept under the key {key!r}")
    return {"key": key, "verdict": given["verdict"]}


def _once(query: QueryParams) -> dict[str, str]:
    """The parameters in *query*; ValueError for one that is given twice, since only one of them would count."""
    names = [name for name, _ in query.multi_items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{twice[0]} is given twice")
    return dict(query)


async def _body(request: Request) -> dict[str, str]:
    """The texts of the JSON object that was posted. Raises ValueError for anything else."""
    try:
        body = await request.json()
    except ValueError as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("the body is no JSON object")
    return {name: value for name, value in body.items() if isinstance(value, str)}


def _conditions(query: Mapping[str, str], other: str) -> dict[str, Any]:
    """The conditions in *query*; ValueError for a parameter that is none, and is not *other*."""
    from ..cache.inspection import CONDITIONS, conditions_of

    unknown = sorted(set(query) - {*CONDITIONS, other})
    if unknown:
        raise ValueError(f"{unknown[0]} is no parameter; allowed: {', '.join((*CONDITIONS, other))}")
    return conditions_of(query)


def _limit(text: str | None) -> int:
    if text is None:
        return ENTRIES_LISTED
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= ENTRIES_LISTED_MOST):
        raise ValueError(f"limit is {text!r}; 1 to {ENTRIES_LISTED_MOST} is allowed")
    return int(text)
