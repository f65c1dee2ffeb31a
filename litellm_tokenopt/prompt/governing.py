"""Which blocks of a prompt the users' modules decide on, and what they decide for a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeAlias

from ..lexical import term_counts
from ..models.intents import LIKELY
from ..modules import PromptModule, closure, conflict
from .lines import plain, plain_lines, standing_in
from .outline import Outline

Blocks: TypeAlias = frozenset[tuple[int, int]]
"""Blocks of a prompt, as (section, block)."""


@dataclass(frozen=True, slots=True)
class Governed:
    """The modules that a prompt holds, in the order of their file, and the blocks of each."""

    modules: tuple[PromptModule, ...] = ()
    places: Mapping[str, Blocks] = field(default_factory=dict)

    @property
    def reads_intents(self) -> bool:
        return any(module.when.intents for module in self.modules)

    @property
    def tools(self) -> frozenset[str]:
        """What the modules say about tools: names, perhaps with ``*``."""
        return frozenset(name for module in self.modules for name in module.when.tools)


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds beside relevance.

    `always` is sent whatever it costs; of `wanted`, each goes in whole, first ones first, while there's room; `barred`
    is not sent; `needs`: what comes with any block of a section. `liking` is added to each section's worth; rules
    `about_tools` are not sent by themselves.
    """

    always: Blocks = frozenset()
    wanted: tuple[Blocks, ...] = ()
    barred: Blocks = frozenset()
    needs: Mapping[int, Blocks] = field(default_factory=dict)
    liking: Mapping[int, float] = field(default_factory=dict)
    about_tools: Blocks = frozenset()


def govern(modules: Sequence[PromptModule], outline: Outline) -> Governed:
    """The *modules* whose text stands in the prompt; where two hold a block, it's the shorter one's."""
    if not modules:
        return Governed()
    lines = list(_lines_of(outline))
    found = {module.id: _found(module, lines) for module in modules}
    owner: dict[tuple[int, int], str] = {}
    for module in sorted(modules, key=lambda module: -len(module.text)):
        owner.update(dict.fromkeys(found[module.id], module.id))
    places = {
        module.id: frozenset(block for block, id in owner.items() if id == module.id)
        for module in modules
        if found[module.id]
    }
    return Governed(tuple(module for module in modules if places.get(module.id)), places)


def standing(
    governed: Governed,
    question: str,
    intents: Mapping[str, float],
    tools: frozenset[str],
    worth: Sequence[float],
    sent_before: Blocks = frozenset(),
) -> Standing:
    """What the modules decide for *question*; *worth* (of each section) orders those of one priority.

    What conflicts with a module that was *sent_before* stays out.
    """
    if not governed.modules:
        return Standing()
    by_id = {module.id: module for module in governed.modules}
    in_order = _in_order(governed, worth)
    asked = _asked_for(in_order, question, _likely(intents), tools)
    sent = _together(asked, by_id, frozenset(id for id, blocks in governed.places.items() if blocks & sent_before))
    open_ = [module for module in in_order if not module.when.conditional and module.id not in sent]
    may = _together(open_, by_id, sent)
    free = [module for module in open_ if module.id in may]
    usable = sent.union(module.id for module in free)
    certain = [m for m in asked if m.when.always and m.id in sent]
    wanted = [m for m in asked if not m.when.always and m.id in sent] + [m for m in free if m.priority > 0]
    return Standing(
        always=frozenset().union(*(_blocks(governed, closure(m.id, by_id)) for m in certain)),
        wanted=tuple(_blocks(governed, closure(m.id, by_id)) for m in wanted),
        barred=_blocks(governed, [module.id for module in governed.modules if module.id not in usable]),
        needs=_needs(governed, free, by_id),
        liking={section: float(m.priority) for m in free if m.priority < 0 for section, _ in governed.places[m.id]},
    )


def _in_order(governed: Governed, worth: Sequence[float]) -> list[PromptModule]:
    def place(module: PromptModule) -> tuple[bool, int, float]:
        best = max((worth[section] for section, _ in governed.places[module.id]), default=0.0)
        return not module.when.always, -module.priority, -best

    return sorted(governed.modules, key=place)


def _asked_for(
    modules: Sequence[PromptModule], question: str, intents: frozenset[str], tools: frozenset[str]
) -> list[PromptModule]:
    """Those of *modules* that are sent always, or of whose conditions one holds."""
    return [m for m in modules if m.when.always or (m.when.conditional and holds(m, question, intents, tools))]


def opposed(governed: Governed, there: Blocks) -> Blocks:
    """The blocks of modules that conflict with one that is *there*."""
    sent = [module for module in governed.modules if governed.places[module.id] & there]
    others = (module.id for module in governed.modules if any(conflict(module, one) for one in sent))
    return _blocks(governed, list(others))


def holds(module: PromptModule, question: str, intents: frozenset[str], tools: frozenset[str]) -> bool:
    """Whether any condition of *module* holds."""
    when = module.when
    return (
        not intents.isdisjoint(when.intents)
        or any(fnmatchcase(tool, pattern) for pattern in when.tools for tool in tools)
        or any(map(_says(question), when.words))
    )


def _says(question: str) -> Callable[[str], bool]:
    """Whether words or a phrase stand in *question*, in any form of theirs."""
    terms, plain = term_counts(question), " ".join(question.casefold().split())

    def mentions(phrase: str) -> bool:
        wanted = term_counts(phrase)
        return all(term in terms for term in wanted) if wanted else " ".join(phrase.casefold().split()) in plain

    return mentions


def _likely(intents: Mapping[str, float]) -> frozenset[str]:
    best = max(intents.values(), default=0.0)
    return frozenset(name for name, chance in intents.items() if chance >= min(LIKELY, best))


def _together(
    modules: Sequence[PromptModule], by_id: Mapping[str, PromptModule], sent: frozenset[str] = frozenset()
) -> frozenset[str]:
    """*sent* and those of *modules*, with what they require, that conflict with none before them."""
    chosen = dict.fromkeys(sent)
    for module in modules:
        group = closure(module.id, by_id)
        if not any(conflict(by_id[one], by_id[other]) for one in group for other in chosen if other not in group):
            chosen.update(dict.fromkeys(group))
    return frozenset(chosen)


def _needs(governed: Governed, modules: Sequence[PromptModule], by_id: Mapping[str, PromptModule]) -> dict[int, Blocks]:
    found: dict[int, Blocks] = {}
    for module in modules:
        more = _blocks(governed, closure(module.id, by_id)[1:])
        for section, _ in governed.places[module.id] if more else ():
            found[section] = found.get(section, frozenset()) | more
    return found


def _blocks(governed: Governed, ids: Sequence[str]) -> Blocks:
    return frozenset().union(*(governed.places.get(id, frozenset()) for id in ids))


def _lines_of(outline: Outline) -> Iterator[tuple[str, Blocks]]:
    """The prompt's lines, spaces evened out, and the blocks that each begins or goes on with; none in headings."""
    for i, section in enumerate(outline.sections):
        yield from ((line, frozenset()) for line in plain_lines(section.heading))
        starts = [block.start for block in outline.profiles[i].blocks]
        position, at = 0, -1
        for line in section.body.splitlines(keepends=True):
            while at + 1 < len(starts) and starts[at + 1] <= position:
                at += 1
            first = max(0, at)
            while at + 1 < len(starts) and starts[at + 1] < position + len(line):
                at += 1
            if told := plain(line):
                yield told, frozenset((i, b) for b in range(first, at + 1))
            position += len(line)


def _found(module: PromptModule, lines: Sequence[tuple[str, Blocks]]) -> Blocks:
    """The blocks of the first place where the module's lines stand one after the other."""
    found = standing_in(plain_lines(module.text), [line for line, _ in lines])
    return frozenset().union(*(lines[n][1] for n in found))
