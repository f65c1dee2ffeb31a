"""Texts with their intents, to train on: those that were written one by one, and those put together from phrases.

``data/intents.jsonl`` holds requests and descriptions of tools, each with its intents and the family of tasks that it
belongs to; ``data/intent_phrases.yaml`` holds phrases, and frames and asides that are the same for every intent.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from .rewording import slip

DATA = Path(__file__).parent / "data"
WRITTEN, PHRASES = DATA / "intents.jsonl", DATA / "intent_phrases.yaml"
HELDOUT, BLIND = DATA / "intents_heldout.jsonl", DATA / "intents_blind.jsonl"
"""Never trained on. `BLIND` was written before anything was trained that it measures, of domains of its own."""

PER_PHRASE = 7
"""Texts made of each phrase."""

FOLDS = 5
"""So many parts the families are in; each is told by what was learnt from the others."""

MISTYPED = 0.4
"""Share of the written requests that are shown once more with slips of the pen."""

WRITTEN_PAIRS, PHRASE_PAIRS = 2_500, 1_500
JOINTS = (
    " and ", " and ", " and also ", ", and ", ", then ", " and then ", ", plus ",
    "; after that ", ". Also ", ". And ", ". Then ", ". After that, ",
)  # fmt: skip
PAIRED_CHARS = 90
"""Longer requests are not joined with others."""

Kind: TypeAlias = Literal["request", "tool"]
PAIR = "pair/"
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that is of *intents*, the first before all, or tells none. Texts of one *family* stay together."""

    text: str
    intents: tuple[str, ...]
    kind: Kind
    family: str

    @property
    def fold(self) -> int:
        """Which part it is of, 0 to `FOLDS`; requests that were joined of others are of theirs."""
        return zlib.crc32(self.family.removeprefix(PAIR).encode()) % FOLDS


def read_written(path: Path = WRITTEN) -> list[Text]:
    """The texts that were written one by one."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Text(**{**row, "intents": tuple(row["intents"])}) for row in rows]


@dataclass(frozen=True, slots=True)
class Phrases:
    """What requests are put together from; see the file."""

    phrases: Mapping[str, Mapping[str, Sequence[str]]]
    slots: Mapping[str, Sequence[str]]
    frames: Mapping[str, Sequence[str]]
    asides: Mapping[str, Sequence[str]]

    def texts(self, chance: random.Random) -> Iterator[Text]:
        """`PER_PHRASE` requests of each phrase: framed, some with asides, some with slips of the pen."""
        for intent, forms in self.phrases.items():
            for form, phrases in forms.items():
                for n, phrase in enumerate(phrases):
                    for _ in range(PER_PHRASE):
                        text = self._request(form, phrase, chance)
                        yield Text(text=text, intents=(intent,), kind="request", family=f"{intent}/{form}/{n}")

    def pairs(self, count: int, chance: random.Random) -> Iterator[Text]:
        """*count* requests for two things of different intents."""
        intents = sorted(set(self.phrases) - {"conversation"})
        for n in range(count):
            first, second = chance.sample(intents, 2)
            steps = [self._filled(chance.choice(self.phrases[intent]["do"]), chance) for intent in (first, second)]
            text = chance.choice(self.frames["do"]).replace("{}", chance.choice(JOINTS).join(steps))
            yield Text(text=text, intents=(first, second), kind="request", family=f"{PAIR}{n}")

    def _request(self, form: str, phrase: str, chance: random.Random) -> str:
        text = chance.choice(self.frames[form]).replace("{}", self._filled(phrase, chance))
        if chance.random() < 0.25:
            text = f"{chance.choice(self.asides['before'])} {text}"
        if chance.random() < 0.2:
            text = f"{text} {chance.choice(self.asides['after'])}"
        if chance.random() < 0.1:
            text = slip(text, chance)
        return text.lower() if chance.random() < 0.15 else text

    def _filled(self, phrase: str, chance: random.Random) -> str:
        return _SLOT.sub(lambda slot: chance.choice(self.slots[slot[1]]), phrase)


def read_phrases(path: Path = PHRASES) -> Phrases:
    """The phrases in *path*."""
    import yaml

    kept = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Phrases(
        {intent: _lines(forms) for intent, forms in kept["phrases"].items()},
        _lines(kept["slots"]), _lines(kept["frames"]), _lines(kept["asides"]),
    )  # fmt: skip


def framed(texts: Sequence[Text], phrases: Phrases, chance: random.Random) -> Iterator[Text]:
    """Each written request once more, with asides, so that these tell nothing."""
    for text in texts:
        if text.kind == "request" and chance.random() < 0.6:
            before, after = (chance.choice(phrases.asides[side]) for side in ("before", "after"))
            told = chance.choice((f"{before} {text.text}", f"{text.text} {after}", f"{before} {text.text} {after}"))
            yield Text(text=told, intents=text.intents, kind=text.kind, family=text.family)


def mistyped(text: str, chance: random.Random) -> str:
    """*text* with a slip of the pen in one of six words, and one more."""
    for _ in range(1 + len(text.split()) // 6):
        text = slip(text, chance)
    return text


def pairs(written: Sequence[Text], count: int, chance: random.Random) -> Iterator[Text]:
    """*count* requests joined of two written ones that are of different intents and of one fold."""
    parts: dict[int, list[Text]] = defaultdict(list)
    for text in filter(_may_be_joined, written):
        parts[text.fold].append(text)
    for n in range(count):
        first, second = (chance.choice(parts[n % FOLDS]) for _ in range(2))
        if first.intents != second.intents:
            told = first.text.rstrip("?.! ") + chance.choice(JOINTS) + _within(second.text)
            yield Text(
                text=told, intents=first.intents + second.intents, kind="request", family=f"{PAIR}{first.family}"
            )


def _may_be_joined(text: Text) -> bool:
    alone = text.kind == "request" and len(text.intents) == 1 and len(text.text) <= PAIRED_CHARS
    return alone and text.intents != ("conversation",) and "other languages" not in text.family


def _within(text: str) -> str:
    """*text* as it stands inside a sentence."""
    return text if re.match(r"I\b|.[A-Z]", text) else text[:1].lower() + text[1:]


def training_texts(seed: int = 0) -> list[Text]:
    """All texts, the same for the same *seed*."""
    chance = random.Random(seed)
    written, phrases = read_written(), read_phrases()
    asked = [text for text in written if text.kind == "request" and chance.random() < MISTYPED]
    made = [
        *phrases.texts(chance), *phrases.pairs(PHRASE_PAIRS, chance), *framed(written, phrases, chance),
        *(replace(text, text=mistyped(text.text, chance)) for text in asked), *pairs(written, WRITTEN_PAIRS, chance),
    ]  # fmt: skip
    return list({text.text: text for text in (*made, *written)}.values())


def _lines(blocks: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    return {name: block.splitlines() for name, block in blocks.items()}
