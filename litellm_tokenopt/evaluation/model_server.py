"""A model server on the loopback that records every request and answers deterministically.

It speaks OpenAI's chat completions and responses and Anthropic's messages, plain and streaming, and counts tokens
with a simulated prompt cache. In a process of its own::

    python -m litellm_tokenopt.evaluation.model_server --port 8011 --script replies.json --record requests.jsonl

or, as tests and the demo use it, in a thread: ``with ModelServer({"question": ["answer"]}) as server: …``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from aiohttp import web

from ..errors import InputError
from ..request import digest
from .bodies import pieces
from .prompt_cache import PromptCache
from .script import Script, read_script, reply_to, script_of
from .wire import Rendering, chat, chat_events, message_events, messages, response_events, responses

Api: TypeAlias = Literal["chat", "responses", "messages"]

MAX_BODY_BYTES = 256 * 2**20
START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that reached the server, and what it was answered with."""

    api: Api
    body: Mapping[str, Any]
    answer: str
    calls: tuple[str, ...]
    input_tokens: int
    cached_tokens: int
    output_tokens: int


class Model:
    """The model behind the server: scripted replies, token counts, and a record of what was asked.

    *script* maps the last question's text to its replies (see `script.script_of`); *record_to* is a JSON Lines
    file that gets every request besides.
    """

    def __init__(self, script: Script | Mapping[str, Any] | None = None, record_to: str | Path | None = None) -> None:
        self.script = script_of(script or {})
        self.recorded: list[Recorded] = []
        self._record_to = Path(record_to) if record_to is not None else None
        self._cache = PromptCache()
        self._lock = threading.Lock()

    def answer(self, api: Api, body: Mapping[str, Any], account: str) -> Rendering:
        """Answer *body* and record both. *account* (and the model) decide what the prompt cache may share."""
        parts = pieces(body)
        model = str(body.get("model") or "")
        with self._lock:
            reading = self._cache.read(parts, key=f"{account} {model}")
            made = Rendering(
                id=digest(model, *(part.text for part in parts)),
                model=model,
                reply=reply_to(body, self.script),
                input_tokens=reading.tokens,
                cached_tokens=reading.cached,
            )
            self._record(_recorded(api, body, made))
        return made

    def _record(self, entry: Recorded) -> None:
        self.recorded.append(entry)
        if self._record_to is not None:
            with self._record_to.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")


def _recorded(api: Api, body: Mapping[str, Any], made: Rendering) -> Recorded:
    calls = tuple(call.name for call in made.reply.calls)
    counts = (made.input_tokens, made.cached_tokens, made.output_tokens)
    return Recorded(api, body, made.reply.text, calls, *counts)


def application(model: Model) -> web.Application:
    """The web application around *model*."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes(
        [
            web.post("/v1/chat/completions", _handler(model, "chat")),
            web.post("/v1/responses", _handler(model, "responses")),
            web.post("/v1/messages", _handler(model, "messages")),
            web.get("/v1/models", _models),
            web.get("/recorded", _recorded_handler(model)),
        ]
    )
    return app


def _handler(model: Model, api: Api) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return web.json_response(_error("the body is not a JSON object"), status=400)
        account = request.headers.get("Authorization") or request.headers.get("x-api-key") or ""
        made = await asyncio.to_thread(model.answer, api, body, account)
        if body.get("stream"):
            return await _stream(request, _events(api, made, body))
        return web.json_response({"chat": chat, "responses": responses, "messages": messages}[api](made))

    return handle


def _error(message: str) -> dict[str, Any]:
    return {"error": {"type": "invalid_request_error", "message": message, "code": None, "param": None}}


def _events(api: Api, made: Rendering, body: Mapping[str, Any]) -> Iterator[str]:
    if api == "chat":
        return chat_events(made, usage=bool((body.get("stream_options") or {}).get("include_usage")))
    return response_events(made) if api == "responses" else message_events(made)


async def _stream(request: web.Request, events: Iterator[str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for event in events:
        await response.write(event.encode("utf-8"))
    await response.write_eof()
    return response


async def _models(request: web.Request) -> web.Response:
    listed = {"id": "recording", "object": "model", "created": 0, "owned_by": "litellm_tokenopt"}
    return web.json_response({"object": "list", "data": [listed]})


def _recorded_handler(model: Model) -> Any:
    async def recorded(request: web.Request) -> web.Response:
        start = request.query.get("from", "0")
        entries = model.recorded[int(start) if start.isdigit() else 0 :]
        return web.json_response([asdict(entry) for entry in entries])

    return recorded


class ModelServer:
    """The model server in a thread of this process, on a free port of the loopback; a context manager."""

    def __init__(
        self,
        script: Script | Mapping[str, Any] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        record_to: str | Path | None = None,
    ) -> None:
        self.model = Model(script, record_to)
        self.port = port
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="model-server", daemon=True)

    @property
    def url(self) -> str:
        """The server's root, e.g. ``http://127.0.0.1:40123`` (what Anthropic's client wants)."""
        return f"http://{self._host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What OpenAI's client wants: the root with ``/v1``."""
        return f"{self.url}/v1"

    @property
    def recorded(self) -> list[Recorded]:
        """Every request so far, oldest first (a copy)."""
        return list(self.model.recorded)

    @property
    def bodies(self) -> list[Mapping[str, Any]]:
        """The bodies of `recorded`."""
        return [entry.body for entry in self.model.recorded]

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop.close()

    async def _start(self) -> None:
        self._runner, self.port = await serve(self.model, self._host, self.port)

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)


async def serve(model: Model, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Start serving *model*; gives the runner to clean up, and the port. Raises `OSError` for a port in use."""
    runner = web.AppRunner(application(model), shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner, int(runner.addresses[0][1])


async def _serve_forever(model: Model, host: str, port: int) -> None:
    runner, port = await serve(model, host, port)
    print(f"http://{host}:{port}/v1", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main(argv: list[str] | None = None) -> int:
    """Serve until interrupted; the first line on stdout is the base URL."""
    parser = argparse.ArgumentParser(prog="python -m litellm_tokenopt.evaluation.model_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--script", metavar="FILE", help="JSON: {question: [reply, …]}")
    parser.add_argument("--record", metavar="FILE", help="append every request to this JSON Lines file")
    options = parser.parse_args(argv)
    try:
        model = Model(read_script(options.script) if options.script else None, options.record)
        asyncio.run(_serve_forever(model, options.host, options.port))
    except KeyboardInterrupt:
        return 0
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
