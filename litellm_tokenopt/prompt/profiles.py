"""A section as it is weighed: its heading and blocks as they would be sent, their sizes, and what each says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..lexical import term_counts
from ..memo import Memo
from ..settings import PromptLevel
from ..tokens import count_text
from .decoration import clean, is_kept, signs_of
from .duties import makes_duties, strength
from .examples import surplus
from .pieces import Piece, announces, is_item, pieces
from .references import Pointers, pointers
from .repeats import Saying, saying
from .sections import Section
from .wordings import BINDING
from .words import RULE_CHARS

REPEATED_CHARS = 80
"""A block of at least this length that stands in a section twice is sent once."""
NO_CUTS: frozenset[int] = frozenset()

_RULE_BEGINS = re.compile(
    r"[\W_]*(?:(?:(?:you|it|the assistant|answers|replies)\s+)?(?:must|never|always|do not|don't|important|critical"
    r"|mandatory|nunca|siempre|jamais|toujours|niemals|nie|immer|mai|sempre|никогда|всегда)\b|必须|不要|禁止|始终|切勿|必ず)",
    re.IGNORECASE,
)
_CRIES = ("MUST", "NEVER", "ALWAYS", "DO NOT", "DON'T")
_RULE_CRIED = re.compile(rf"\b(?:{'|'.join(_CRIES)})\b")
_CHANGES = re.compile(
    r"\b(?:not|never|no|avoid|without|except|unless|if|when|only|may|can|should|bad|wrong|incorrect|instead|forbidden"
    r"|prohibited|allowed|optional)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
"""What a heading or an announcement says that makes the same words another instruction."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item or code fence, or a piece of a long one, as it would be sent.

    `start` is its place in the section's body. `is_rule`: it says what must always or never be done, and little else;
    `duty` is how strictly it does so wherever in it. `head` is the block that it means nothing without; `runs_on`: it
    goes on in the line of the block before it.
    """

    text: str
    start: int
    tokens: int
    terms: Mapping[str, int]
    is_rule: bool
    duty: int
    head: int | None = None
    runs_on: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """What a section's own text gives: its heading and blocks as they would be sent, and the heading's tokens.

    `sizes`: the tokens of each block. `with_heads`: of each block, itself and what it means nothing without: its head,
    that one's head, and so on; `has_heads`: whether any has one; `runs_on`: whether any goes on in the line before it.
    `sayings`: what each block says in its place. `pointing`: blocks that may refer to sections. `kept` hold what users
    marked with ``<keep>``; `surplus`: of examples beyond the first few.
    """

    heading: str
    heading_tokens: int
    blocks: tuple[Block, ...]
    sizes: tuple[int, ...]
    with_heads: tuple[frozenset[int], ...]
    has_heads: bool
    runs_on: bool
    sayings: tuple[Saying, ...]
    pointing: tuple[tuple[int, Pointers], ...]
    kept: tuple[int, ...]
    surplus: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens of the whole section without its parents' headings: an upper bound, as parts are counted alone."""
        return self.heading_tokens + sum(self.sizes)


_profiles: Memo[tuple[str, str, str, PromptLevel, frozenset[str], frozenset[int]], Profile] = Memo(max_entries=10_000)


def profile(section: Section, level: PromptLevel, spoken: frozenset[str], cuts: frozenset[int] = NO_CUTS) -> Profile:
    """The profile of one section of a prompt that has *spoken* of some emoji, memoised by what it depends on.

    At each of *cuts*, places in the section's body, a block begins.
    """
    signs = signs_of(section.text, spoken)
    key = section.heading, section.body, section.title, level, signs, cuts
    return _profiles.get_or(key, lambda: _profile(section, level, signs, spoken, cuts))


def _profile(
    section: Section, level: PromptLevel, signs: frozenset[str], spoken: frozenset[str], cuts: frozenset[int]
) -> Profile:
    heading = clean(section.heading, level, signs & spoken)
    written = _blocks(section.body, level, signs, cuts)
    with_heads = tuple(_with_heads(written))
    blocks = tuple(_bound(section.heading, written, with_heads))
    pointing = ((b, told) for b, block in enumerate(blocks) if (told := pointers(block.text)) is not None)
    return Profile(
        heading=heading,
        heading_tokens=count_text(heading) if heading else 0,
        blocks=blocks,
        sizes=tuple(block.tokens for block in blocks),
        with_heads=with_heads,
        has_heads=any(block.head is not None for block in blocks),
        runs_on=any(block.runs_on for block in blocks),
        sayings=tuple(_sayings(section.title, blocks, with_heads)),
        pointing=tuple(pointing),
        kept=tuple(b for b, block in enumerate(blocks) if is_kept(block.text)),
        surplus=tuple(surplus(section.title, [block.text.lstrip("\n") for block in blocks], with_heads, level)),
    )


def _blocks(body: str, level: PromptLevel, signs: frozenset[str], cuts: frozenset[int]) -> Sequence[Block]:
    """The pieces of *body* as they would be sent; of a long one that comes twice, the first."""
    found: list[Block] = []
    places: list[int | None] = []  # of each piece, the block that it became
    seen: set[str] = set()
    start = 0
    for piece in pieces(body, cuts):
        text = clean(piece.text, level, signs)
        said = text.strip()
        is_new = bool(said) and said not in seen
        places.append(len(found) if is_new else None)
        if is_new:
            found.append(_block(text, start, piece))
        if len(said) >= REPEATED_CHARS:
            seen.add(said)
        start += len(piece.text)
    return [block if block.head is None else replace(block, head=places[block.head]) for block in found]


def _block(text: str, start: int, piece: Piece) -> Block:
    """What *piece* is, sent as *text*; its head is still a piece."""
    return Block(
        text, start, count_text(text), term_counts(text), _is_rule(text), strength(text), piece.head, piece.runs_on
    )


def _bound(heading: str, blocks: Sequence[Block], with_heads: Sequence[frozenset[int]]) -> Iterator[Block]:
    """*blocks* with the duties that what stands above them makes of them: "You may not:", "## What is never told"."""
    above = makes_duties(heading.strip().lstrip("# "))
    listed = any(is_item(block.text) for block in blocks)
    for b, (block, steps) in enumerate(zip(blocks, with_heads, strict=True)):
        told = above and (is_item(block.text) if listed else b == 0)
        if block.duty < BINDING and (told or any(makes_duties(announces(blocks[head].text)) for head in steps - {b})):
            yield replace(block, duty=BINDING)
        else:
            yield block


def _with_heads(blocks: Sequence[Block]) -> Iterator[frozenset[int]]:
    for b in range(len(blocks)):
        steps = [b]
        while (head := blocks[steps[-1]].head) is not None and head not in steps:
            steps.append(head)
        yield frozenset(steps)


def _sayings(title: str, blocks: Sequence[Block], with_heads: Sequence[frozenset[int]]) -> Iterator[Saying]:
    """What each block says, with what stands above it where that changes it ("Never do this:")."""
    above = [title] if _CHANGES.search(title) else []
    heads = frozenset().union(*(steps - {b} for b, steps in enumerate(with_heads)))
    changing = {head: line for head in heads if _CHANGES.search(line := announces(blocks[head].text))}
    for b, steps in enumerate(with_heads):
        lines = [changing[head] for head in sorted(steps - {b}, reverse=True) if head in changing]
        yield saying("\n".join([*above, *lines, blocks[b].text]))


def _is_rule(text: str) -> bool:
    return len(text) <= RULE_CHARS and bool(_RULE_BEGINS.match(text) or _is_cried(text))


def _is_cried(text: str) -> bool:
    return any(map(text.__contains__, _CRIES)) and _RULE_CRIED.search(text) is not None
