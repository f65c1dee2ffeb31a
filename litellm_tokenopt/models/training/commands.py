"""Trains the classifier of commands: ``python -m litellm_tokenopt.models.training.commands``, about ten seconds.

`data/commands.yaml` holds patterns of sentences and what fills them, and sentences in many languages; what is printed
is measured on `data/commands_heldout.jsonl`, whose sentences and trades are others. ``--report`` prints it and writes
nothing. Needs scikit-learn, which comes with sentence-transformers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.sparse import csr_matrix

from ..commands import BUCKETS, WEIGHTS, Commands, buckets, save_commands

DATA = Path(__file__).parent / "data" / "commands.yaml"
HELD_OUT = Path(__file__).parent / "data" / "commands_heldout.jsonl"
SEED = 7
PENALTY = 0.05
"""Of large weights (scikit-learn's 1/C)."""
MADE_OF_RULES = 45
"""Sentences made of each pattern of a rule; of other patterns, as many in all."""
REPEATS = 6
"""How often a whole sentence counts."""
LIMITS = (0.0, 0.4, 0.85, 1.4)

_SLOT = re.compile(r"<(\w+)>")
_WRAPPED: tuple[tuple[float, Sequence[str]], ...] = (
    (0.12, ("- {}", "* {}", "3. {}")),
    (0.06, ('{{"rule": "{}"}}', '{{"note": "{}"}}', '{{"text": "{}"}}', '{{"policy": "{}"}}')),
    (0.06, ('note: "{}"', 'text: "{}"', 'line: "{}"')),
    (0.05, ("| Tone | {} |", "| Hall | {} |", "| Item 4 | {} |")),
)
"""How often a sentence stands in a list, in JSON, in YAML and in a table, too."""


def sentences(data: Mapping[str, Any], chance: random.Random) -> Iterator[tuple[str, bool]]:
    """Sentences with whether each is a rule."""
    patterns = {True: data["rules"], False: data["others"]}
    for is_rule, of_kind in patterns.items():
        count = MADE_OF_RULES if is_rule else MADE_OF_RULES * len(patterns[True]) // len(of_kind)
        for pattern in of_kind:
            for text in sorted({_filled(pattern, data["fillers"], chance) for _ in range(count)}):
                yield from ((form, is_rule) for form in _forms(text, chance))
    for is_rule, key in ((True, "written_rules"), (False, "written_others")):
        yield from ((text, is_rule) for text in data[key] for _ in range(REPEATS))


def _filled(pattern: str, fillers: Mapping[str, Sequence[Any]], chance: random.Random) -> str:
    misdeed, misdone = chance.choice(fillers["misdeed"])
    told = {"misdeed": misdeed, "misdone": misdone}

    def fill(slot: re.Match[str]) -> str:
        name = slot[1].lower()
        text = str(told.get(name) or chance.choice(fillers[name]))
        return text[0].upper() + text[1:] if slot[1][0].isupper() else text[0].lower() + text[1:]

    return _SLOT.sub(fill, pattern)


def _forms(text: str, chance: random.Random) -> Iterator[str]:
    yield text
    yield from (chance.choice(forms).format(text.replace('"', "")) for p, forms in _WRAPPED if chance.random() < p)


def matrix(texts: Sequence[str]) -> csr_matrix:
    """The texts' buckets, each row of length 1."""
    found = [sorted(buckets(text)) for text in texts]
    values = np.concatenate([np.full(len(row), 1 / max(1.0, len(row) ** 0.5)) for row in found])
    starts = np.cumsum([0, *map(len, found)])
    return csr_matrix((values, np.concatenate(found), starts), shape=(len(texts), BUCKETS))


def fit(rows: Sequence[tuple[str, bool]]) -> Commands:
    """The classifier of *rows*."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / PENALTY, max_iter=500)
    model.fit(matrix([text for text, _ in rows]), [is_rule for _, is_rule in rows])
    return Commands(tuple(model.coef_[0].tolist()), float(model.intercept_[0]))


def report(commands: Commands) -> Iterator[str]:
    """Precision and recall on what is held out, at a few limits of the score."""
    rows = [json.loads(line) for line in HELD_OUT.read_text(encoding="utf-8").splitlines()]
    scores = np.array([commands.score(row["text"]) for row in rows])
    rules = np.array([row["rule"] for row in rows])
    for limit in LIMITS:
        told = scores >= limit
        right = int((told & rules).sum())
        yield f"{limit:.2f}: precision {right / max(1, told.sum()):.3f}, recall {right / rules.sum():.3f}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.models.training.commands", description=__doc__)
    parser.add_argument("--report", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    raw = DATA.read_bytes()
    rows = list(sentences(yaml.safe_load(raw), random.Random(SEED)))
    commands = fit(rows)
    print(
        f"{len(rows):,} sentences, {sum(is_rule for _, is_rule in rows):,} of them rules", *report(commands), sep="\n"
    )
    if not options.report:
        save_commands(WEIGHTS, commands, data_sha256=hashlib.sha256(raw).hexdigest())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
