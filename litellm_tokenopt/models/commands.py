"""How likely a sentence says what is to be done, or not, rather than what is: a logistic classifier over hashed words.

Words, pairs of words, the first ones' places and beginnings, and pairs of Chinese, Japanese and Korean characters are
hashed into one table (feature hashing; Weinberger et al., 2009). It needs no embedder: a prompt has a thousand
sentences, whose embedding takes a second.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from ..errors import ModelUnavailable
from .logistic import WEIGHTS_FOLDER

WEIGHTS = WEIGHTS_FOLDER / "commands.npz"
FORMAT = 1
BUCKETS = 1 << 15
MOST_WORDS = 60
"""What stands further back in a sentence isn't read."""
MOST_KEPT = 50_000
FIRST_WORDS, STEMMED_WORDS, STEM_CHARS = 3, 12, 4

_TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?|[{}\[\]:|\"?!.,;]|\d+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Commands:
    """The weight of each bucket, and the bias."""

    weights: tuple[float, ...]
    bias: float

    def score(self, sentence: str) -> float:
        """The logarithm of the odds that *sentence* says what is to be done: above 0 it's the likelier."""
        found = buckets(sentence)
        return sum(map(self.weights.__getitem__, found)) / math.sqrt(max(1, len(found))) + self.bias


class _Places(dict[str, int]):
    """Where features stand in the table, kept: most come again."""

    def __missing__(self, feature: str) -> int:
        if len(self) >= MOST_KEPT:
            self.clear()
        place = self[feature] = zlib.crc32(feature.encode()) % BUCKETS
        return place


_places = _Places()


def buckets(sentence: str) -> set[int]:
    """The places in the table of what *sentence* says."""
    return set(map(_places.__getitem__, _features(sentence)))


def _features(sentence: str) -> list[str]:
    tokens = _TOKEN.findall(sentence.lower())[:MOST_WORDS]
    words = [token for token in tokens if token[0].isalpha()]
    found = [f"w{word}" for word in words]
    found += [f"b{one} {other}" for one, other in pairwise(tokens)]
    found += [f"p{n}{word}" for n, word in enumerate(words[:FIRST_WORDS])]
    found += [f"s{word[-3:]}" for word in words[:2]]
    found += [f"x{word[:STEM_CHARS]}" for word in words[:STEMMED_WORDS]]
    if not sentence.isascii():
        signs = "".join(_UNSPACED.findall(sentence))
        found += [f"z{signs[n : n + 2]}" for n in range(len(signs) - 1)]
    found.append("asked" if sentence.rstrip().endswith("?") else "said")
    found.append(f"n{min(len(words) // 5, 5)}")
    return found


@lru_cache(maxsize=1)
def packaged_commands() -> Commands:
    """The classifier in the package. Raises `ModelUnavailable` for a broken file."""
    return load_commands(WEIGHTS)


def load_commands(path: Path) -> Commands:
    """The classifier in *path*. Raises `ModelUnavailable` for a broken file, or one of another format."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as kept:
            facts = json.loads(str(kept["facts"]))
            weights = tuple((kept["weights"].astype(np.float64) * float(facts["scale"])).tolist())
        found = Commands(weights, float(facts["bias"]))
        format_ = facts["format"]
    except (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise ModelUnavailable(f"{path.name} can't be read: {error}") from error
    if format_ != FORMAT or len(weights) != BUCKETS:
        raise ModelUnavailable(f"{path.name} is of another format than {FORMAT}")
    return found


def save_commands(path: Path, commands: Commands, *, data_sha256: str) -> None:
    """Write *commands* to *path*, readable by `load_commands`; weights are rounded to 8 bits."""
    import numpy as np

    scale = max(map(abs, commands.weights)) / 127
    rounded = np.round(np.array(commands.weights) / scale).astype(np.int8)
    facts = {"format": FORMAT, "scale": scale, "bias": commands.bias, "data_sha256": data_sha256}
    with path.open("wb") as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), weights=rounded)
