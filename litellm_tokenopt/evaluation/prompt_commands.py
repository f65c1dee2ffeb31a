"""What ``tokenopt prompt split`` and ``tokenopt prompt lint`` do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, ModelUnavailable
from ..modules import PromptModule, mended, parse_modules
from ..prompt.linting import Finding, lint, unreached
from ..prompt.splitting import split_prompt
from ..prompt.stage import PromptStage
from ..settings import Settings
from ..taxonomy import read_taxonomy
from ..tokens import count_text


def read_text(path: str) -> str:
    """The text of a file. Raises `InputError`."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None


def read_tools(path: str | None) -> frozenset[str] | None:
    """Names of the tools in a JSON file: a list of tools, or a request that has some. Raises `InputError`."""
    if path is None:
        return None
    try:
        value = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    tools = value.get("tools") if isinstance(value, dict) else value
    if not isinstance(tools, list):
        raise InputError(f"{path}: a list of tools is allowed, or a request with tools")
    return frozenset(filter(None, map(_name, tools)))


def read_any(path: str, tools: frozenset[str] | None) -> tuple[PromptModule, ...]:
    """The modules of a YAML file, or of a prompt in any other file."""
    if path.lower().endswith((".yaml", ".yml")):
        return parse_modules(path)[0]
    return split_prompt(read_text(path), tools or frozenset())


async def findings(
    modules: Sequence[PromptModule], settings: Settings, *, tools: frozenset[str] | None, prompt: str | None
) -> list[Finding]:
    """All that is found in *modules*; without an embedding model, all that can be told without one, and so much."""
    from ..models.build import build_embedder
    from ..models.intents import IntentModel

    taxonomy = read_taxonomy(settings.tools.intents)
    budget = settings.prompt.budget_tokens
    found = lint(modules, intents=frozenset(taxonomy.categories), tools=tools, prompt=prompt, budget_tokens=budget)
    if not modules:
        return found
    embedder = build_embedder(settings.embedder)
    chosen = settings.prompt.model_copy(update={"modules": mended(modules), "min_tokens": 0})
    stage = PromptStage(chosen, embedder, lambda: IntentModel(embedder, taxonomy))
    questions = [text for kind in taxonomy.categories.values() for text in kind.texts]
    try:
        await embedder.embed(questions[:1])
    except ModelUnavailable:
        return [*found, Finding("warning", "unreached", modules[0].id, "not looked for: there is no embedding model")]
    never = {one.module for one in found if one.rule in ("dead", "intent")}
    return found + [
        one for one in await unreached(modules, stage, settings.prompt.level, questions) if one.module not in never
    ]


def tokens_of(modules: Sequence[PromptModule]) -> dict[str, int]:
    return {module.id: count_text(module.text) for module in modules}


def _name(tool: Any) -> str | None:
    if not isinstance(tool, dict):
        return None
    function = tool.get("function")
    name = (function if isinstance(function, dict) else tool).get("name")
    return name if isinstance(name, str) else None
