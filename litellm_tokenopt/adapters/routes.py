"""HTTP routes that the plugin adds to LiteLLM's proxy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plugin import Plugin

HEALTH_PATH = "/tokenopt/health"


def add_routes(plugin: Plugin) -> None:
    """Serve ``GET /tokenopt/health``, if the proxy runs in this process. Needs no key, like LiteLLM's liveliness."""
    server = sys.modules.get("litellm.proxy.proxy_server")
    app = getattr(server, "app", None)
    if app is None:
        return
    remove_routes()
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def health(_: Request) -> JSONResponse:
        parts = await plugin.portal.wait(plugin.optimizer.health())
        healthy = all(part["ok"] for part in parts.values())
        body: dict[str, Any] = {"status": "ok" if healthy else "degraded", "mode": plugin.settings.mode, "parts": parts}
        return JSONResponse(body, status_code=200 if healthy else 503)

    # In front, since the proxy ends with routes that match any path.
    app.router.routes.insert(0, Route(HEALTH_PATH, health, methods=["GET"]))


def remove_routes() -> None:
    """Take the plugin's routes off again."""
    app = getattr(sys.modules.get("litellm.proxy.proxy_server"), "app", None)
    if app is not None:
        app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) != HEALTH_PATH]
