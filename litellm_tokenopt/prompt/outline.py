"""A prompt as it is weighed: its sections with their sizes, their terms, and what they are for.

All that depends on a section's text alone is memoised by that text, so a prompt that differs from a known one in
one line costs that one section.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..lexical import Index, indexed, term_counts, terms
from ..memo import Memo
from ..settings import PromptLevel
from .decoration import spoken_signs
from .examples import surplus_sections
from .lines import plain, plain_lines, standing_in
from .profiles import NO_CUTS, Profile, profile
from .references import references
from .repeats import grouped
from .sections import Section, path, split

HEADING_WEIGHT = 3
"""How often a section's heading counts beside its text; the headings around it count once."""
GIST_WORDS = 8
"""Words of a section that are embedded with its headings: more of them cost time and tell no more."""
INHERITED_GENERALITY = 0.7
"""How general the parts of a wholly general section are."""
PARENTS_OF_PARTS = 3
"""A heading that stands under so many others is about what these are about."""
NAME_CHARS = 48
IN_PART = " (in part)"

_GENERAL = frozenset(
    terms(
        """
        identity role persona character mission purpose goal objective overview introduction background basics
        capability ability safety safe security secure guardrail rule policy principle constraint restriction
        limitation boundary prohibited forbidden never must always avoid important critical mandatory note behavior
        behaviour conduct ethics honesty truthfulness accuracy output response respond answer reply format formatting
        style tone voice language communication conversation conversational interaction confidentiality confirmation
        guideline instruction general core key basic global overall system assistant agent user final summary ground
        hard golden
        rolle identität regeln grundregeln sicherheit ausgabe ausgabeformat format stil sprache antwort wichtig
        rol identidad reglas seguridad formato salida estilo idioma respuesta importante
        rôle identité règles sécurité sortie réponse langue ruolo regole sicurezza uscita risposta regras segurança
        saída
        роль правила безопасность формат ответ
        """
    )
)


@dataclass(frozen=True, slots=True)
class Outline:
    """The sections of a prompt's texts, one after the other.

    For each section: `document`, the text it is from; `paths`, the sections around it, outermost first, and
    itself; `index` of their terms for ranking by words, its headings' included; `labels`, its headings; `headings`,
    their terms; `gists`, its headings and first words, to embed; `generality` (0 to 1), how far its heading is about
    the agent's behaviour as a whole; `around`, tokens of its heading, or of a tag and the one that closes it; `names`,
    what it's called where it's left out. `referring`: of a section, its blocks that refer to others, and which these
    are; `repeated`: of a section, its blocks that others say too, and the number of each one's group; `kept`: blocks
    that hold what users marked with ``<keep>``; `surplus`: examples beyond the first few of a section.
    """

    sections: tuple[Section, ...]
    document: tuple[int, ...]
    profiles: tuple[Profile, ...]
    paths: tuple[tuple[int, ...], ...]
    index: Index
    labels: tuple[str, ...]
    headings: tuple[frozenset[str], ...]
    gists: tuple[str, ...]
    generality: tuple[float, ...]
    around: tuple[int, ...]
    names: tuple[str, ...]
    referring: Mapping[int, tuple[tuple[tuple[int, int], tuple[int, ...]], ...]]
    repeated: Mapping[int, Mapping[int, int]]
    surplus: frozenset[tuple[int, int]]
    kept: frozenset[tuple[int, int]]

    def group(self, section: int, block: int) -> int | None:
        """The number of the group of blocks that say the same as this one; None for a block that is alone."""
        groups = self.repeated.get(section)
        return groups.get(block) if groups else None

    def said(self, picked: frozenset[tuple[int, int]]) -> set[int]:
        """The groups of repeated blocks of which one is *picked*."""
        return {n for i, groups in self.repeated.items() for b, n in groups.items() if (i, b) in picked}

    def once(self, barred: frozenset[tuple[int, int]] = frozenset()) -> frozenset[tuple[int, int]]:
        """All blocks that aren't *barred*; of those that say the same, the first."""
        firsts: dict[int, tuple[int, int]] = {}
        places = ((i, b) for i, found in enumerate(self.profiles) for b in range(len(found.blocks)))
        open_ = (place for place in places if place not in barred)
        chosen = {p for p in open_ if (n := self.group(*p)) is None or firsts.setdefault(n, p) == p}
        heads = {(i, head) for i, b in chosen for head in self.profiles[i].with_heads[b]}
        return frozenset(chosen | (heads - barred))


_terms: Memo[tuple[str, ...], Mapping[str, int]] = Memo(max_entries=10_000)


def outline(texts: Sequence[str], level: PromptLevel = "normal", apart: Sequence[str] = ()) -> Outline:
    """The outline of a prompt in one or more *texts*; *level* says how much is taken for needless.

    Where one of *apart* stands in whole lines of it, these are blocks of their own.
    """
    sections, document = _sections_of(texts)
    profiles = _profiles_of(sections, texts, level, apart)
    paths = tuple(path(sections, i) for i in range(len(sections)))
    titles = [[sections[i].title for i in steps] for steps in paths]
    labels = tuple(" > ".join(filter(None, found)) for found in titles)
    parts = _parts_of_topics(sections)
    kept = frozenset((i, b) for i, found in enumerate(profiles) for b in found.kept)
    return Outline(
        sections=sections,
        document=document,
        profiles=profiles,
        paths=paths,
        index=indexed(list(map(_terms_of, sections, titles))),
        labels=labels,
        headings=tuple(frozenset(term_counts(label)) for label in labels),
        gists=tuple(map(_gist, labels, sections)),
        generality=tuple(_generality(sections, steps, parts) for steps in paths),
        referring=_referring(sections, profiles),
        repeated=_repeated(profiles, kept, level),
        around=tuple(map(_around, sections, profiles)),
        names=tuple(_names(sections, paths)),
        surplus=frozenset(_surplus(sections, paths, profiles, level)) - kept,
        kept=kept,
    )


def _sections_of(texts: Sequence[str]) -> tuple[tuple[Section, ...], tuple[int, ...]]:
    """The sections of all *texts*, and of each the number of its text."""
    sections: list[Section] = []
    document: list[int] = []
    for number, text in enumerate(texts):
        offset = len(sections)
        sections += (_moved(section, offset) for section in split(text))
        document += [number] * (len(sections) - offset)
    return tuple(sections), tuple(document)


def _profiles_of(
    sections: Sequence[Section], texts: Sequence[str], level: PromptLevel, apart: Sequence[str]
) -> tuple[Profile, ...]:
    spoken = frozenset().union(*map(spoken_signs, texts))
    cuts = _cuts(sections, apart)
    return tuple(profile(section, level, spoken, cuts.get(i, NO_CUTS)) for i, section in enumerate(sections))


def _referring(
    sections: Sequence[Section], profiles: Sequence[Profile]
) -> Mapping[int, tuple[tuple[tuple[int, int], tuple[int, ...]], ...]]:
    """Of each section, its blocks that refer to others, and these."""
    found = references(sections, (((i, b), told) for i, one in enumerate(profiles) for b, told in one.pointing))
    referring: dict[int, list[tuple[tuple[int, int], tuple[int, ...]]]] = {}
    for place in sorted(found):
        referring.setdefault(place[0], []).append((place, found[place]))
    return {section: tuple(places) for section, places in referring.items()}


def by_section(blocks: Iterable[tuple[int, int]]) -> dict[int, set[int]]:
    """*blocks*, given as (section, block)."""
    found: dict[int, set[int]] = defaultdict(set)
    for section, block in blocks:
        found[section].add(block)
    return found


def _surplus(
    sections: Sequence[Section], paths: Sequence[Sequence[int]], profiles: Sequence[Profile], level: PromptLevel
) -> Iterator[tuple[int, int]]:
    """The blocks of examples beyond the first few of a kind."""
    whole = surplus_sections(sections, paths, level)
    for i, found in enumerate(profiles):
        yield from ((i, b) for b in (range(len(found.blocks)) if i in whole else found.surplus))


def _repeated(
    profiles: Sequence[Profile], kept: frozenset[tuple[int, int]], level: PromptLevel
) -> Mapping[int, Mapping[int, int]]:
    """Of each section its blocks that others say too, those that are *kept* aside, and the number of their group."""
    sayings = (((i, b), said) for i, one in enumerate(profiles) for b, said in enumerate(one.sayings))
    groups = grouped((one for one in sayings if one[0] not in kept), near=level != "light")
    found: dict[int, dict[int, int]] = {}
    for n, group in enumerate(groups):
        for section, block in group:
            found.setdefault(section, {})[block] = n
    return found


def _around(section: Section, found: Profile) -> int:
    return 2 * found.heading_tokens + 1 if section.kind == "tag" else found.heading_tokens


def _names(sections: Sequence[Section], paths: Sequence[Sequence[int]]) -> Iterator[str]:
    """What each section is called; one that shares its heading with others is a part of what it stands under."""
    plain = [plain_title(section.title) for section in sections]
    titles = Counter(title for title, section in zip(plain, sections, strict=True) if section.kind != "close")
    for i, steps in enumerate(paths):
        told = next((n for n in reversed(steps) if titles[plain[n]] == 1), i)
        yield _short(sections[told].title or "text") + ("" if told == i else IN_PART)


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARS else name[: NAME_CHARS - 1].rstrip() + "…"


def _cuts(sections: Sequence[Section], apart: Sequence[str]) -> Mapping[int, frozenset[int]]:
    """Of each section the places in its body where one of the texts *apart* begins or ends."""
    if not apart:
        return {}
    lines = list(_lines_of(sections))
    said = [line for line, _ in lines]
    found: dict[int, set[int]] = defaultdict(set)
    for text in apart:
        if place := standing_in(plain_lines(text), said):
            (begins, start, _), (ends, _, end) = lines[place[0]][1], lines[place[-1]][1]
            found[begins].add(start)
            found[ends].add(end)
    return {section: frozenset(places) for section, places in found.items()}


def _lines_of(sections: Sequence[Section]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Each line that isn't blank, and where it is: (section, start, end) in the section's body; 0 of headings."""
    for i, section in enumerate(sections):
        yield from ((line, (i, 0, 0)) for line in plain_lines(section.heading))
        position = 0
        for written in section.body.splitlines(keepends=True):
            start, position = position, position + len(written)
            if line := plain(written):
                yield line, (i, start, position)


def _moved(section: Section, offset: int) -> Section:
    if section.parent is None or not offset:
        return section
    return Section(section.heading, section.body, section.title, section.parent + offset, section.kind)


def _terms_of(section: Section, titles: Sequence[str]) -> Mapping[str, int]:
    """The terms of a section and of the *titles* on its path."""
    return _terms.get_or((section.text, *titles), lambda: _with_headings(term_counts(section.text), titles))


def _with_headings(own: Mapping[str, int], titles: Sequence[str]) -> Mapping[str, int]:
    counts = dict(own)
    for n, title in enumerate(titles, 1):
        for term in term_counts(title):
            counts[term] = counts.get(term, 0) + (HEADING_WEIGHT if n == len(titles) else 1)
    return counts


def _gist(label: str, section: Section) -> str:
    return f"{label}\n{' '.join(section.body[: GIST_WORDS * 16].split()[:GIST_WORDS])}".strip()


def _parts_of_topics(sections: Sequence[Section]) -> frozenset[str]:
    """Headings that stand under several others ("Overview", "Rules" of each topic): each is about what it's under."""
    under: dict[str, set[int]] = {}
    for section in sections:
        if section.parent is not None and section.kind != "text":
            under.setdefault(plain_title(section.title), set()).add(section.parent)
    return frozenset(title for title, parents in under.items() if len(parents) >= PARENTS_OF_PARTS)


@lru_cache(maxsize=4_096)
def plain_title(title: str) -> str:
    """A heading without its number and signs, to compare it with others."""
    return " ".join(re.findall(r"[^\W\d_]+", title.casefold()))


def _generality(sections: Sequence[Section], steps: Sequence[int], parts: frozenset[str]) -> float:
    """The share of a heading's words that are about behaviour in general; a part of it comes from the headings above.

    Text at the top, under no heading, is wholly general, but for later pieces of a long one; so is a piece of a long
    section as far as this is. One of *parts* is general only as far as what it's under.
    """
    section = sections[steps[-1]]
    if section.kind == "close":
        return 0.0
    own = _general_share(section.title) if section.kind != "text" else 0.0
    if len(steps) > 1:
        above = _generality(sections, steps[:-1], parts)
        if section.kind == "text" and sections[steps[-2]].kind == "heading":
            return above
        return max(0.0 if plain_title(section.title) in parts else own, INHERITED_GENERALITY * above)
    return 1.0 if section.kind == "text" and not section.title else own


@lru_cache(maxsize=4_096)
def _general_share(title: str) -> float:
    words = [term for term in term_counts(title.replace("_", " ")) if not term.replace(".", "").isdigit()]
    return sum(word in _GENERAL for word in words) / len(words) if words else 0.0
