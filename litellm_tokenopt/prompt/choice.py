"""Which blocks of a prompt are sent: at a session's start within a budget, later what else fits a question best."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..lexical import bm25
from .governing import Blocks, Standing
from .outline import Outline
from .profiles import Block
from .ranking import Relevance
from .wordings import ADVISORY, BINDING, COMMANDED
from .words import is_rule

Picked: TypeAlias = Blocks
"""What is sent, as (section, block)."""

LISTS_SHARE = 0.35
"""Of the budget, at most this goes to lists of rules about other subjects."""
GENERAL_TOKENS = 500
"""Of a larger section only the rules are sent in any case, whatever its heading says."""
HALF = 0.5
LEAST_RULES = 3
"""So many rules make a list of rules."""
FOREIGN_SHARE = 0.55
TELLING_SHARE = 1 / 3
"""A word that stands in no more of the sections tells what one is about. A rule that says such a word of a heading
above it, or of whose words fewer than `FOREIGN_SHARE` are new to its section or stand in many, is about its section's
subject; any other holds beyond it: no question about that subject would bring it."""
OWN_RULES_TOKENS, OWN_RULES_SHARE = 1_500, 0.3
"""Rules that hold beyond their sections are sent whatever they cost; beside them others up to so many tokens in all, or
this share of the budget."""
COMMANDS_SHARE = 0.1
"""Of the budget, at most this goes to commands beyond their sections: one in ten is none."""
LEAST_SHARE = 0.3
"""Of the budget, at least so much is left to what the question needs: where the prompt's core leaves less, the budget
is exceeded, by no more than this core."""
RULES_BEYOND_TOKENS = 1_000
RULES_SHARE = 0.25
"""Of the budget beyond so many tokens, at most this goes to rules and to what only should be done, in sections about
other things; rules go beyond it."""
CLOSING_TOKENS = 60
SECTION_SHARE = 0.5
"""Of the room that always sent parts leave, at most this goes to one section; of a larger one its best blocks."""
REFERRED_SHARE = 0.15
"""Of the budget, at most this goes to the sections that one section refers to."""
FALLOFF = 1.3
"""How fast the tokens that a section may take fall with its worth."""
LEAST_SECTION_TOKENS = 150
LEAST_TOKENS = 10
"""With less room than this nothing more is looked for."""
LEAST_CUT_TOKENS = 60
"""Less room than this is not worth cutting a section for."""
GAP_TOKENS = 3
SPARE_TOKENS = 20
"""Room that the last filling leaves for what is counted too low: gaps, line breaks."""
GENERAL_BONUS = 0.1
BROAD_BONUS = 0.6
"""What a wholly general heading adds to a section's relevance; the second, to a question that says little."""

NOTHING = Standing()

ASKED_SECTIONS = 4
ASKED_COSINE = 0.5
"""What the model asks for comes from at most so many sections: each has a telling word of it or is so near to it."""


@dataclass(slots=True)
class _Basket:
    """What is picked so far, by section, and what it costs; `over`: the room that was made beyond the budget."""

    outline: Outline
    standing: Standing
    room: int
    picked: dict[int, set[int]] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    said: set[int] = field(default_factory=set)
    over: int = 0
    needless: Blocks = field(init=False)

    def __post_init__(self) -> None:
        self.needless = self.standing.barred | self.outline.surplus

    def places(self) -> Picked:
        """All that is picked."""
        return frozenset((section, b) for section, blocks in self.picked.items() for b in blocks)

    def leave(self, least: int) -> None:
        """Make room beyond the budget where less than *least* is left."""
        more = max(0, least - self.room)
        self.room += more
        self.over += more

    def take(self, blocks: Blocks, room: float = math.inf) -> bool:
        """Add *blocks*, of any sections, if they cost at most *room* together."""
        new: dict[int, list[int]] = {}
        for section, b in blocks:
            if b not in self.picked.get(section, ()):
                new.setdefault(section, []).append(b)
        missing = {section: self.missing_of(section, found) for section, found in new.items()}
        if sum(self._tokens(section, found) for section, found in missing.items()) > room:
            return False
        for section, found in missing.items():
            self._put(section, found, self._tokens(section, found))
        return True

    def add(self, section: int, blocks: Iterable[int], room: float = math.inf) -> bool:
        """Add *blocks*, their heads and the headings above them, as far as these aren't there, for at most *room*."""
        missing = self.missing_of(section, blocks)
        tokens = self._tokens(section, missing)
        if tokens > room:
            return False
        self._put(section, missing, tokens)
        return True

    def missing(self, section: int) -> list[int]:
        """The blocks of *section* that may be added: neither there already, in this or like words, nor needless."""
        count, taken = len(self.outline.profiles[section].blocks), self.picked.get(section, ())
        found = [b for b in range(count) if b not in taken]
        if self.needless:
            found = [b for b in found if (section, b) not in self.needless]
        groups = self.outline.repeated.get(section)
        if groups is None:
            return found
        said = set(self.said)
        new = []
        for b in found:
            group = groups.get(b)
            if group is None or group not in said:
                new.append(b)
            if group is not None:
                said.add(group)
        return new

    def is_open(self, section: int, block: int) -> bool:
        """Whether a block is neither there already, in this or like words, nor needless."""
        if block in self.picked.get(section, ()) or (section, block) in self.needless:
            return False
        return not self.said or self.outline.group(section, block) not in self.said

    def missing_of(self, section: int, blocks: Iterable[int]) -> set[int]:
        """*blocks* with their heads, those that are there already aside."""
        profile, barred = self.outline.profiles[section], self.standing.barred
        found = set(blocks)
        if profile.has_heads:
            heads = set().union(*[profile.with_heads[b] for b in found]) - found
            found.update(head for head in heads if (section, head) not in barred)
        return found.difference(self.picked.get(section, ()))

    def headings(self, section: int) -> int:
        """Tokens of the headings above *section* and its own, as far as these aren't there."""
        if section in self.shown:
            return 0
        return sum([self.outline.around[i] for i in self.outline.paths[section] if i not in self.shown])

    def _tokens(self, section: int, missing: Iterable[int]) -> int:
        return self.headings(section) + sum(map(self.outline.profiles[section].sizes.__getitem__, missing))

    def _put(self, section: int, missing: set[int], tokens: int) -> None:
        self.room -= tokens
        self.shown.update(self.outline.paths[section])
        self.picked.setdefault(section, set()).update(missing)
        groups = self.outline.repeated.get(section, {})
        if groups:
            self.said.update(groups[b] for b in missing if b in groups)


@dataclass(frozen=True, slots=True)
class Core:
    """What of a prompt doesn't depend on the question.

    `general` is about the agent's behaviour as a whole and sent in any case; of `groups`, each goes in whole, first
    ones first, while there's room; `closing` are the prompt's last words; `foreign` rules hold beyond the sections that
    they stand in and are sent in any case, `rules` are the others, both strictest first; `commands` are taken for
    rules beyond their sections by the classifier; `advice` says what should be done; `tokens` are those of the whole
    prompt, each instruction once.
    """

    outline: Outline
    general: Blocks
    groups: tuple[Blocks, ...]
    closing: tuple[tuple[int, int], ...]
    foreign: tuple[tuple[int, int], ...]
    rules: tuple[tuple[int, int], ...]
    commands: tuple[tuple[int, int], ...]
    advice: tuple[tuple[int, int], ...]
    tokens: int

    @property
    def duties(self) -> tuple[tuple[int, int], ...]:
        return self.foreign + self.rules + self.commands + self.advice


def core_of(outline: Outline) -> Core:
    """The core of a prompt."""
    duties = [(place, block) for place, block in _blocks_of(outline) if block.duty >= COMMANDED]
    strictest = sorted((one for one in duties if one[1].duty != ADVISORY), key=lambda one: (-one[1].duty, one[0]))
    foreign = frozenset(_foreign(outline, strictest))
    rules = [(place, place in foreign) for place, block in strictest if block.duty >= BINDING]
    return Core(
        outline=outline,
        general=_binding(outline).union(*_general(outline)),
        groups=tuple(_lists_of_rules(outline)),
        closing=tuple(_closing(outline)),
        foreign=tuple(place for place, is_foreign in rules if is_foreign),
        rules=tuple(place for place, is_foreign in rules if not is_foreign),
        commands=tuple(place for place, block in strictest if block.duty == COMMANDED and place in foreign),
        advice=tuple(place for place, block in duties if block.duty == ADVISORY),
        tokens=_tokens(outline, _allowed(outline, NOTHING)),
    )


def _blocks_of(outline: Outline) -> Iterator[tuple[tuple[int, int], Block]]:
    for i, found in enumerate(outline.profiles):
        yield from (((i, b), block) for b, block in enumerate(found.blocks))


def _foreign(outline: Outline, rules: Sequence[tuple[tuple[int, int], Block]]) -> Iterator[tuple[int, int]]:
    """Those of *rules* that are about something else than their section."""
    said = [Counter(term for block in found.blocks for term in block.terms) for found in outline.profiles]
    spread = Counter(term for terms in said for term in terms)
    most = max(1.0, TELLING_SHARE * sum(map(bool, said)))
    for (i, b), block in rules:
        telling = [term for term in block.terms if spread[term] <= most]
        recurring = sum(said[i][term] > 1 for term in telling)
        if outline.headings[i].isdisjoint(telling) and recurring <= (1 - FOREIGN_SHARE) * len(block.terms):
            yield i, b


def choose(
    core: Core,
    relevance: Sequence[Relevance],
    query: Mapping[str, float],
    *,
    budget_tokens: int,
    always_include: Sequence[str] = (),
    broad: bool = False,
    standing: Standing = NOTHING,
) -> Picked:
    """What to send at a session's start, in at most *budget_tokens* (what must be sent excepted).

    With *broad*, when the question says little, sections about behaviour in general come first.
    """
    if (allowed := _all_within(core, budget_tokens, standing)) is not None:
        return allowed
    basket = _Basket(core.outline, standing, budget_tokens)
    rules_tokens = _take_core(basket, core, budget_tokens, always_include)
    _take_lists(basket, core.groups, int(budget_tokens * LISTS_SHARE))
    for group in standing.wanted:
        basket.take(group, basket.room)
    advice = sorted(core.advice, key=lambda rule: (-relevance[rule[0]].score, rule))
    advice_tokens = int((budget_tokens - RULES_BEYOND_TOKENS) * RULES_SHARE) - rules_tokens
    _take_rules(basket, advice, min(basket.room, advice_tokens))
    worth = _worth(core.outline, relevance, BROAD_BONUS if broad else GENERAL_BONUS, standing.liking)
    order = _take_best(basket, worth, query, basket.room, 0.0)
    _fill_up(basket, order, query)
    return basket.places()


def _all_within(core: Core, budget_tokens: int, standing: Standing) -> Picked | None:
    """All that may be sent, where that fits into the budget."""
    outline = core.outline
    barred_tokens = sum(outline.profiles[i].sizes[b] for i, b in standing.barred)
    if core.tokens - barred_tokens > budget_tokens:  # seen without making the choice
        return None
    allowed = _allowed(outline, standing)
    return allowed if _tokens(outline, allowed) <= budget_tokens else None


def beyond_budget(core: Core, *, budget_tokens: int, standing: Standing = NOTHING) -> int:
    """The most tokens that a choice takes beyond *budget_tokens*, for what is sent whatever is asked."""
    basket = _Basket(core.outline, standing, budget_tokens)
    _take_core(basket, core, budget_tokens, ())
    return basket.over + max(0, -basket.room)


def _take_core(basket: _Basket, core: Core, budget_tokens: int, always_include: Sequence[str]) -> int:
    """Add what is sent whatever is asked; the tokens of the rules in sections about something else.

    All of it but the rules about their sections' subjects goes in whatever the budget.
    """
    outline, standing = basket.outline, basket.standing
    basket.take(standing.always | outline.kept)
    for i in _always(outline, always_include):
        basket.add(i, basket.missing(i))
    for i, block in core.closing:
        basket.add(i, [block])
    least = min(basket.room, int(budget_tokens * LEAST_SHARE))
    basket.take(core.general - standing.barred)
    rules_tokens = _take_rules(basket, core.foreign, math.inf)
    most = max(OWN_RULES_TOKENS, int(budget_tokens * OWN_RULES_SHARE)) - rules_tokens
    own_tokens = _take_rules(basket, core.rules, most)
    most = min(most - own_tokens, int(budget_tokens * COMMANDS_SHARE), basket.room - least)
    rules_tokens += own_tokens + _take_rules(basket, core.commands, most)
    basket.leave(least)
    return rules_tokens


def choose_late(
    outline: Outline,
    relevance: Sequence[Relevance],
    query: Mapping[str, float],
    sent: Picked,
    budget_tokens: int,
    standing: Standing = NOTHING,
) -> Picked:
    """What fits a later question best, in at most *budget_tokens*, without what was *sent*.

    It's chosen as if nothing were there yet: of what fits best, what is there takes its part of the tokens. Sections
    that fit half as well as the best one or less don't come late.
    """
    basket = _late_basket(outline, sent, budget_tokens, standing)
    _take_best(basket, [one.score for one in relevance], query, budget_tokens, HALF)
    return basket.places() - sent


def choose_asked(
    outline: Outline,
    relevance: Sequence[Relevance],
    query: Mapping[str, float],
    room_tokens: int,
    named: Sequence[int] = (),
    barred: Blocks = frozenset(),
) -> Picked:
    """The best few sections for what the model asks, in at most *room_tokens*; nothing where nothing fits.

    *barred* blocks stay out. Where it asks for sections by their names, these are all. Examples that are never sent
    otherwise are among them.
    """
    basket = _Basket(outline, Standing(barred=barred), room_tokens)
    basket.needless = barred
    best = sorted(range(len(relevance)), key=lambda i: (-relevance[i].score, i))[:ASKED_SECTIONS]
    fitting = [i for i in best if relevance[i].shared or relevance[i].cosine >= ASKED_COSINE]
    for i in named or fitting:
        _fill(basket, i, query, basket.room)
    return basket.places()


def choose_about(
    outline: Outline,
    sections: Iterable[int],
    query: Mapping[str, float],
    sent: Picked,
    room_tokens: int,
    standing: Standing = NOTHING,
) -> Picked:
    """What *standing* wants, and these *sections*, in at most *room_tokens*, without what was *sent*."""
    basket = _late_basket(outline, sent, room_tokens, standing)
    for i in sections:
        _fill(basket, i, query, basket.room)
    return basket.places() - sent


def _late_basket(outline: Outline, sent: Picked, room_tokens: int, standing: Standing) -> _Basket:
    """What *standing* wants already in it, as far as that has room; what is left of *room_tokens* is to be chosen."""
    basket = _Basket(outline, standing, room_tokens, said=outline.said(sent))
    for group in standing.wanted:
        basket.take(group, basket.room)
    return basket


def _always(outline: Outline, names: Sequence[str]) -> list[int]:
    """The prompt's opening, and the sections under a heading that holds one of *names*."""
    wanted = [name.casefold() for name in names]
    opening = next((i for i, found in enumerate(outline.profiles) if found.blocks), 0)
    named = enumerate(map(str.casefold, outline.labels)) if wanted else ()
    found = {i for i, label in named if any(name in label for name in wanted)}
    if outline.labels and (not outline.labels[opening] or outline.profiles[opening].tokens <= GENERAL_TOKENS):
        found.add(opening)
    return sorted(found)


def _binding(outline: Outline) -> Blocks:
    """The rules under general headings, and what stands among them where most of a section is rules: never left out.

    Under a heading that is general in part, only what begins as a rule is taken for one.
    """
    found: set[tuple[int, int]] = set()
    for i, (profile, generality) in enumerate(zip(outline.profiles, outline.generality, strict=True)):
        wholly = generality == 1
        rules = {(i, b) for b, block in enumerate(profile.blocks) if block.is_rule or (wholly and is_rule(block.text))}
        if generality < HALF or not rules or (outline.sections[i].kind == "text" and len(outline.paths[i]) == 1):
            continue
        if sum(profile.blocks[b].tokens for _, b in rules) >= HALF * sum(block.tokens for block in profile.blocks):
            found.update((i, b) for b in range(len(profile.blocks)))
        elif wholly:
            found |= rules
    return frozenset(found)


def _general(outline: Outline) -> Iterator[Blocks]:
    """Short sections about behaviour in general; of those that are so in part, what is mostly rules."""
    for i, (found, generality) in enumerate(zip(outline.profiles, outline.generality, strict=True)):
        in_part = generality >= HALF and sum(block.is_rule for block in found.blocks) >= HALF * len(found.blocks)
        if (generality == 1 or in_part) and found.tokens <= GENERAL_TOKENS:
            yield frozenset((i, b) for b in range(len(found.blocks))) - outline.surplus


def _lists_of_rules(outline: Outline) -> Iterator[Blocks]:
    """Lists of rules under any heading, and rules among text without headings."""
    for i, found in enumerate(outline.profiles):
        rules = frozenset((i, b) for b, block in enumerate(found.blocks) if block.is_rule)
        if len(rules) >= LEAST_RULES and len(rules) >= HALF * len(found.blocks):
            yield frozenset((i, b) for b in range(len(found.blocks)))
        elif outline.sections[i].kind == "text" and len(outline.paths[i]) == 1:
            yield from (frozenset({rule}) for rule in sorted(rules))


def _take_lists(basket: _Basket, groups: Iterable[Blocks], room: int) -> None:
    """Add *groups*, each whole, in at most *room* tokens together."""
    for blocks in groups:
        before = basket.room
        if basket.take(blocks - basket.standing.barred, min(room, basket.room)):
            room -= before - basket.room


def _take_rules(basket: _Basket, rules: Iterable[tuple[int, int]], room: float) -> int:
    """Add *rules* that stand in sections about something else, in at most *room* tokens; how many these take.

    What is about a tool comes with its section.
    """
    cut: set[int] = set()
    before = basket.room
    for i, b in rules:
        if (i, b) not in basket.standing.about_tools and basket.is_open(i, b):
            gap = 0 if i in cut else GAP_TOKENS
            if basket.add(i, (b,), room - (before - basket.room) - gap):
                basket.room -= gap
                cut.add(i)
    return before - basket.room


def _closing(outline: Outline) -> list[tuple[int, int]]:
    """The prompt's last paragraph, if it's short: the date, who is asking, a last word."""
    last = next((i for i in reversed(range(len(outline.profiles))) if outline.profiles[i].blocks), None)
    if last is None:
        return []
    *before, closing = outline.profiles[last].blocks
    apart = not before or before[-1].text.endswith("\n\n")
    return [(last, len(before))] if apart and closing.tokens <= CLOSING_TOKENS else []


def _allowed(outline: Outline, standing: Standing) -> Picked:
    """All that may be sent, each instruction once."""
    return outline.once(standing.barred | outline.surplus) | standing.always | outline.kept


def _tokens(outline: Outline, picked: Picked) -> int:
    """Tokens of what is *picked*, and of all headings: an upper bound."""
    blocks = sum(outline.profiles[section].sizes[block] for section, block in picked)
    return blocks + sum(found.heading_tokens for found in outline.profiles)


def _worth(outline: Outline, relevance: Sequence[Relevance], bonus: float, liking: Mapping[int, float]) -> list[float]:
    general = zip(relevance, outline.generality, strict=True)
    return [one.score + bonus * general + liking.get(i, 0.0) for i, (one, general) in enumerate(general)]


def _take_best(
    basket: _Basket, worth: Sequence[float], query: Mapping[str, float], budget_tokens: int, least: float
) -> list[int]:
    """Add the sections of most *worth*, each in a part of *budget_tokens* that falls with it; returns their order.

    None is added that has less than *least* of the best one's worth.
    """
    best = max(worth, default=0.0) or 1.0
    order = sorted(range(len(worth)), key=worth.__getitem__, reverse=True)
    for i in order:
        if basket.room < LEAST_TOKENS or worth[i] < least * best:
            break
        share = SECTION_SHARE * max(0.0, worth[i] / best) ** FALLOFF
        _fill(basket, i, query, min(basket.room, max(LEAST_SECTION_TOKENS, int(budget_tokens * share))))
        _follow(basket, i, query, min(basket.room, int(budget_tokens * REFERRED_SHARE)))
    return order


def _fill(basket: _Basket, section: int, query: Mapping[str, float], room: int) -> None:
    """Add *section* whole, or its most relevant blocks when it's too large."""
    missing = basket.missing(section)
    needed = basket.standing.needs.get(section)
    if not missing or (needed and not basket.take(needed, max(0, basket.room - LEAST_CUT_TOKENS))):
        return
    room = min(room, basket.room)
    # Most sections are by far too large for what room is left: that's seen before their heads are looked up.
    may_fit = needed or sum(map(basket.outline.profiles[section].sizes.__getitem__, missing)) <= room
    if not (may_fit and basket.add(section, missing, room)) and room >= LEAST_CUT_TOKENS:
        chosen = _best_blocks(basket, section, missing, query, room - GAP_TOKENS)
        if chosen:
            basket.add(section, chosen)
            basket.room -= GAP_TOKENS


def _fill_up(basket: _Basket, order: Sequence[int], query: Mapping[str, float]) -> None:
    """Give what room is left to the sections of most worth, whatever they have already: a few large ones leave some."""
    for i in order:
        if basket.room < LEAST_CUT_TOKENS:
            return
        _fill(basket, i, query, basket.room - SPARE_TOKENS)


def _follow(basket: _Basket, section: int, query: Mapping[str, float], room: int) -> None:
    """Add what the picked blocks of *section* refer to, in at most *room* tokens together."""
    before = basket.room
    for (_, block), targets in basket.outline.referring.get(section, ()):
        if block in basket.picked.get(section, ()):
            for target in targets:
                _fill(basket, target, query, room - (before - basket.room))


def _best_blocks(
    basket: _Basket, section: int, candidates: Sequence[int], query: Mapping[str, float], room: int
) -> list[int]:
    """Those of *candidates* that share the most telling words with *query*, in at most *room* tokens."""
    blocks, sizes = basket.outline.profiles[section].blocks, basket.outline.profiles[section].sizes
    scores = bm25(query, [blocks[b].terms for b in candidates])
    chosen: set[int] = set()
    room -= basket.headings(section)
    least = min(sizes[b] for b in candidates)
    for n in sorted(range(len(candidates)), key=lambda n: (-scores[n], n)):
        if room < least:
            break
        more = basket.missing_of(section, [candidates[n]]).difference(chosen)
        tokens = sum(sizes[b] for b in more)
        if tokens <= room:
            chosen |= more
            room -= tokens
    return sorted(chosen)
