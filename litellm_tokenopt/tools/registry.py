"""Tools of one's own, in one place: a request gets those that it needs, with schemas built for them alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..request import ChatRequest, Tool
from ..settings import Settings, load_settings
from ..taxonomy import read_taxonomy
from ..tokens import count_tools
from .compress import compress_tool
from .fitting import check_arguments
from .openapi import SendCall, from_openapi
from .reading import copied, name_of
from .sources import Handler, Source, from_callable, from_description, from_model
from .stage import ToolsStage, level_of_block

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ..models.base import Embedder


class ToolRegistry:
    """Holds callables, pydantic models, MCP tools and OpenAPI operations; gives a conversation the tools that it needs.

    The choice is that of the tools stage (``tools.max_tools``, ``tools.always_include``, …; a function of the messages
    alone, stable through a session). Works with or without `litellm_tokenopt.enable`: what comes out is a plain
    ``tools=[…]`` list. Every method that adds raises `InputError` for a name that is taken, and for what isn't well
    formed; the registry is then what it was.
    """

    def __init__(
        self, settings: Settings | Mapping[str, Any] | None = None, *, embedder: Embedder | None = None
    ) -> None:
        self._settings = load_settings(settings)
        self._embedder = embedder
        self._sources: dict[str, Source] = {}
        self._built: dict[str, Tool] = {}
        self._stage: ToolsStage | None = None

    def __len__(self) -> int:
        return len(self._sources)

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._sources)

    @property
    def built(self) -> frozenset[str]:
        """Names of the tools whose schemas have been built."""
        return frozenset(self._built)

    def add(self, *tools: Callable[..., Any] | type[BaseModel]) -> None:
        """Add functions (typed, with a docstring; plain or async) and pydantic models."""
        from pydantic import BaseModel

        for tool in tools:
            if not callable(tool):
                raise InputError(f"a function or a pydantic model is needed; got {tool!r}"[:200])
        self._put(
            from_model(tool) if isinstance(tool, type) and issubclass(tool, BaseModel) else from_callable(tool)
            for tool in tools
        )

    def add_mcp(self, tools: Iterable[Any], handler: Handler | None = None) -> None:
        """Add MCP tools (what ``list_tools()`` gives; mappings or objects with name, description, inputSchema).

        OpenAI's own form does as well.

        *handler* (an MCP session's ``call_tool``, say) carries out their calls.
        """
        listed = tools.get("tools") if isinstance(tools, Mapping) else getattr(tools, "tools", tools)
        if isinstance(listed, str) or not isinstance(listed, Iterable):
            raise InputError(f"a list of tools is needed; got {tools!r}"[:200])
        self._put(from_description(tool, handler) for tool in listed)

    def add_openapi(self, document: Mapping[str, Any], send: SendCall | None = None) -> None:
        """Add every operation of an OpenAPI 3 document; *send* carries out calls, given as `HttpCall`."""
        self._put(from_openapi(document, send))

    def tool(self, name: str) -> Tool:
        """One tool with its whole schema, built at the first need. Raises `InputError` for an unknown name."""
        if name not in self._built:
            self._built[name] = self._source(name).build()
        return self._built[name]

    async def for_request(self, messages: Sequence[Mapping[str, Any]], *, tool_choice: Any = None) -> list[Tool]:
        """The tools for a conversation, in OpenAI's form and in the order in which they were added.

        `tool_choice` names a tool that must be there. None are given for plain conversation, unless the registry
        holds no more than ``tools.max_tools`` (providers take no empty list: ``tools=tools or None``). The lists are
        yours to change.
        """
        outlines = tuple(source.outline() for source in self._sources.values())
        request = ChatRequest(
            model="", messages=tuple(messages), tools=outlines, tool_choice=tool_choice, own_tools=True
        )
        verdict = await self._chooser()(request)
        chosen = [name_of(tool) or "" for tool in getattr(verdict, "request", request).tools]
        whole = {name: self.tool(name) for name in chosen}
        levels = self._settings.tools.schema_levels
        level = level_of_block(self._settings.tools, len(self._sources), count_tools(whole.values()))
        return [copied(compress_tool(tool, levels.get(name, level))) for name, tool in whole.items()]

    async def call(self, name: str, arguments: str | Mapping[str, Any]) -> Any:
        """What the tool *name* gives for *arguments* (JSON, as models write them, or a mapping).

        Raises `InputError`, whose text a model can be told, for an unknown name or arguments that don't fit.
        """
        source = self._source(name)
        if source.run is None:
            raise InputError(f"{name} was added without what carries out its calls")
        given = _parsed(name, arguments)
        if not source.checks:
            check_arguments(self.tool(name)["function"]["parameters"], given, name)
        return await source.run(given)

    def _put(self, sources: Iterable[Source]) -> None:
        """Add all of *sources*, or, where one can't be, none."""
        together = dict(self._sources)
        for source in sources:
            if source.name in together:
                raise InputError(f"there is a tool {source.name} already")
            together[source.name] = source
        self._sources = together

    def _source(self, name: str) -> Source:
        if name not in self._sources:
            raise InputError(f"there is no tool {name}")
        return self._sources[name]

    def _chooser(self) -> ToolsStage:
        if self._stage is None:
            from ..models.build import build_embedder
            from ..models.intents import IntentModel

            embedder = self._embedder or build_embedder(self._settings.embedder)
            # Whole schemas aren't known yet; the next turn's messages ask for what this one's choice left out.
            known = {"schema_level": "full", "schema_levels": {}, "search": "own"}
            self._stage = ToolsStage(
                self._settings.tools.model_copy(update=known),
                embedder,
                intents=lambda: IntentModel(embedder, read_taxonomy(self._settings.tools.intents)),
                talk_tokens=0,
            )
        return self._stage


def _parsed(name: str, arguments: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(arguments, Mapping):
        return arguments
    try:
        values = json.loads(arguments or "{}")
    except json.JSONDecodeError as error:
        raise InputError(f"invalid arguments of {name}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"invalid arguments of {name}: a JSON object is needed")
    return values
