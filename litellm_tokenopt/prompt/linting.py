"""What is wrong or needless in a prompt's modules: repeats, contradictions, modules that are never sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from ..modules import PromptModule, closure, conflict, faults, joined, mended
from ..request import ChatRequest, text_of
from ..settings import PromptLevel
from ..stage import Change
from .choice import beyond_budget, core_of
from .contradictions import Kind, contradictions
from .governing import govern, standing
from .outline import outline
from .repeats import alike, repeats
from .sections import blocks
from .splitting import summary
from .stage import PromptStage
from .tags import unread_ratios, unread_tags
from .words import sentences_of

ALIKE_SHARE = 0.75
SHOWN = 8
"""Places that are named of one repeated text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: an ``error`` keeps the modules from being used as they say; a ``warning`` costs tokens."""

    severity: Literal["error", "warning"]
    rule: str
    module: str
    message: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A sentence of a module, and the line that it begins at in the module's text."""

    module: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}"


def lint(
    modules: Sequence[PromptModule],
    *,
    intents: frozenset[str],
    tools: frozenset[str] | None = None,
    prompt: str | None = None,
    budget_tokens: int | None = None,
) -> list[Finding]:
    """What is found in *modules*; where *tools*, a *prompt* or a budget are given, also what doesn't fit these."""
    by_id = {module.id: module for module in modules}
    found = [Finding("error", "dependency", fault.id, f"{fault.field}: {fault.text}") for fault in faults(modules)]
    found += _cycles(modules, by_id)
    found += _unknown_intents(modules, intents)
    found += _tags(modules)
    found += _starred(modules)
    found += _dead(modules, by_id, tools, prompt)
    places = [place for module in modules for place in _places(module)]
    clashing = contradictions([place.text for place in places])
    found += _contradictions(places, clashing)
    found += _repeats(modules)
    found += _alike(places, frozenset((earlier, later) for earlier, later, _ in clashing))
    return found + (list(_core(modules, prompt, budget_tokens)) if budget_tokens is not None else [])


async def unreached(
    modules: Sequence[PromptModule], stage: PromptStage, level: PromptLevel, questions: Sequence[str]
) -> list[Finding]:
    """Modules of which no question brings a line; *stage* chooses among them by its settings, *level* among these."""
    text = "".join(module.text if module.text.endswith("\n") else f"{module.text}\n\n" for module in modules)
    found = outline([text], level)
    places = govern(mended(modules), found).places
    open_ = {id: [found.profiles[i].blocks[b].text.strip() for i, b in own] for id, own in places.items()}
    for question in questions:
        messages = ({"role": "system", "content": text}, {"role": "user", "content": question})
        verdict = await stage(ChatRequest(model="", messages=messages))
        request = verdict.request if isinstance(verdict, Change) else None
        sent = text_of(request.messages[0]["content"]) if request else text
        open_ = {id: own for id, own in open_.items() if not any(piece in sent for piece in own)}
    said = {place.module for group in _groups(modules) for place in group}
    return [
        Finding("warning", "unreached", module.id, "no kind of task brings it, within the budget")
        for module in modules
        if not module.when.tools and not module.when.words and open_.get(module.id) and module.id not in said
    ]


def _core(modules: Sequence[PromptModule], prompt: str | None, budget_tokens: int) -> Iterator[Finding]:
    """Whether what is always sent, rules above all, leaves nothing of the budget to what a question needs."""
    found = outline([prompt or joined(modules)], apart=[module.text for module in modules])
    stands = standing(govern(mended(modules), found), "", {}, frozenset(), [0.0] * len(found.sections))
    over = beyond_budget(core_of(found), budget_tokens=budget_tokens, standing=stands)
    if modules and over:
        said = f"rules and what else is always sent take {over:,} tokens beyond the budget of {budget_tokens:,}: raise"
        yield Finding(
            "warning", "core", modules[0].id, f"{said} prompt.budget_tokens, or say less strictly what may wait"
        )


def _cycles(modules: Sequence[PromptModule], by_id: Mapping[str, PromptModule]) -> Iterator[Finding]:
    """Modules that require themselves by way of others; each circle once."""
    told: set[str] = set()
    for module in modules:
        round_ = [id for id in closure(module.id, by_id) if module.id in _required(id, by_id)]
        if round_ and told.isdisjoint(round_):
            told.update(round_)
            yield Finding("error", "cycle", module.id, f"requires: goes round in a circle: {', '.join(round_)}")


def _required(id: str, by_id: Mapping[str, PromptModule]) -> frozenset[str]:
    return frozenset(one for other in by_id[id].requires for one in closure(other, by_id))


def _unknown_intents(modules: Sequence[PromptModule], intents: frozenset[str]) -> Iterator[Finding]:
    for module in modules:
        for intent in module.when.intents:
            if intent not in intents:
                yield Finding("error", "intent", module.id, f"when.intents: there is no kind of task {intent}")


def _tags(modules: Sequence[PromptModule]) -> Iterator[Finding]:
    """Tags that are sent as they are written, or do nothing, as nobody can read them."""
    for module in modules:
        for tag in unread_tags(module.text):
            yield Finding(
                "warning",
                "tag",
                module.id,
                f"{tag} is sent as it stands: its other half is missing, or it's in capitals",
            )
        for tag in unread_ratios(module.text):
            said = f"{tag} does nothing: a ratio is a number from 0 to 1 (ratio=0.5)"
            yield Finding("warning", "tag", module.id, said)


def _starred(modules: Sequence[PromptModule]) -> Iterator[Finding]:
    """Words that were meant as patterns."""
    for module in modules:
        for word in module.when.words:
            if "*" in word:
                said = f"when.words: {word}: * stands for no letters here, as it does in tools; name the words"
                yield Finding("warning", "words", module.id, said)


def _dead(
    modules: Sequence[PromptModule],
    by_id: Mapping[str, PromptModule],
    tools: frozenset[str] | None,
    prompt: str | None,
) -> Iterator[Finding]:
    """Modules that are never sent."""
    always = [by_id[id] for module in modules if module.when.always for id in closure(module.id, by_id)]
    for module in modules:
        foe = next((one.id for one in always if one.id != module.id and conflict(one, module)), None)
        if foe is not None:
            both = ", as it is itself" if module in always else ""
            yield Finding("error", "dead", module.id, f"conflicts with {foe}, which is always sent{both}")
        when = module.when
        by_tools = when.tools and not (when.always or when.intents or when.words)
        if tools is not None and by_tools and not any(fnmatchcase(t, name) for t in tools for name in when.tools):
            yield Finding("error", "dead", module.id, f"when.tools: there is no tool {', '.join(when.tools)}")
        if prompt is not None and " ".join(module.text.split()) not in " ".join(prompt.split()):
            yield Finding("error", "dead", module.id, "text: does not stand in the prompt")


def _repeats(modules: Sequence[PromptModule]) -> Iterator[Finding]:
    for group in _groups(modules):
        where = ", ".join(map(str, group[1:SHOWN])) + (", …" if len(group) > SHOWN else "")
        yield Finding("warning", "repeat", group[0].module, f"{group[0]} is said again at {where}: {_shown(group[0])}")


def _contradictions(places: Sequence[_Place], clashing: Sequence[tuple[int, int, Kind]]) -> Iterator[Finding]:
    """Sentences that say the opposite of each other, or another number for the same thing."""
    for earlier, later, kind in clashing:
        one, other = places[earlier], places[later]
        how = "say the opposite" if kind == "opposite" else "give different numbers for the same"
        yield Finding(
            "warning", "contradiction", one.module, f"{one} and {other} {how}: {_shown(one)}, {_shown(other)}"
        )


def _alike(places: Sequence[_Place], named: frozenset[tuple[int, int]]) -> Iterator[Finding]:
    """Each sentence with later ones that share most of its words, or of such a one's, and weren't *named* before."""
    found: dict[int, list[tuple[_Place, float]]] = {}
    first: dict[int, int] = {}
    for earlier, later, share in sorted(alike([place.text for place in places], ALIKE_SHARE)):
        if later not in first and (earlier, later) not in named:
            first[later] = first.get(earlier, earlier)
            found.setdefault(first[later], []).append((places[later], share))
    for n, others in found.items():
        yield Finding("warning", "alike", places[n].module, _shared(places[n], others))


def _shared(place: _Place, others: Sequence[tuple[_Place, float]]) -> str:
    (first, share), *more = others
    if not more:
        return f"{place} and {first} share {share:.0%} of their words; do both hold? {_shown(place)}"
    where = ", ".join(str(other) for other, _ in others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
    least = min(share for _, share in others)
    return f"{place} is like {where}, each shares at least {least:.0%} of another's words; do all hold? {_shown(place)}"


def _groups(modules: Sequence[PromptModule]) -> tuple[tuple[_Place, ...], ...]:
    places = (place for module in modules for place in _places(module))
    return repeats(((place, place.text) for place in places), near=True)


def _places(module: PromptModule) -> Iterator[_Place]:
    """The module's sentences; code and tables are taken whole."""
    line = 1
    for block in blocks(module.text):
        spans = [(0, len(block))] if any(mark in block for mark in ("```", "~~~", "\n|")) else sentences_of(block)
        for start, end in spans:
            yield _Place(module.id, line + block.count("\n", 0, start), block[start:end])
        line += block.count("\n")


def _shown(place: _Place) -> str:
    return f"“{summary(place.text)}”"
