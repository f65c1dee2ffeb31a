"""Trains the matching of requests and tools, in minutes: ``python -m litellm_tokenopt.models.training.matching``.

Pairs come from ``data/tool_requests.yaml`` (requests with the tools that they need, of one step and of several) and
from ``data/intents.jsonl`` (requests with descriptions of tools of the same family of tasks); others are joined from
two or three of them. What is printed is measured on agents that the maps were fitted without. ``--report`` writes
nothing. Needs the packaged embedder, and torch, which comes with sentence-transformers.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch.nn import functional

from ...settings import EmbedderSettings
from .. import minilm
from ..base import Embedder
from ..build import build_embedder
from ..matching import WEIGHTS, Matching, save_matching
from .intent_texts import DATA, WRITTEN, read_written

REQUESTS = DATA / "tool_requests.yaml"

RANK = 32
ROUNDS = 8
BATCH = 256
RATE = 2e-3
DECAY = 0.02
NOISE = 0.03
"""What is added to each value of a vector in training: texts that are worded a little otherwise."""

SHARPNESS = 3.0
"""Logarithm of what similarities are multiplied by at first."""

JOINED = 2_000
"""Requests that are joined from two or three others."""

JOINTS = (". ", ", then ", ", and ", " and then ", "; also ", ". After that, ")

FOLDS = 4
BEST = 10

_SPLIT = re.compile(r"[^\w]+|_+|(?<=[a-z0-9])(?=[A-Z])")

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the groups of tools that it needs one of each of."""

    text: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """Tools as (group, text), and requests."""

    tools: tuple[tuple[str, str], ...]
    requests: tuple[Asked, ...]

    def without(self, agents: Collection[str]) -> Examples:
        """What is left without those of *agents*, by what a group's name begins with."""
        tools = tuple(one for one in self.tools if one[0].split("/")[0] not in agents)
        requests = tuple(one for one in self.requests if one.groups[0].split("/")[0] not in agents)
        return Examples(tools, requests)


def read_examples() -> Examples:
    """All that was written."""
    texts = [text for text in read_written() if text.kind in ("tool", "request")]
    described = {text.family for text in texts if text.kind == "tool"}
    tools = [(text.family, text.text) for text in texts if text.kind == "tool"]
    asked = [Asked(text.text, (text.family,)) for text in texts if text.kind == "request" and text.family in described]
    own = agents_examples(yaml.safe_load(REQUESTS.read_text(encoding="utf-8")))
    return Examples((*tools, *own.tools), (*asked, *own.requests))


def agents_examples(agents: Mapping[str, Mapping[str, str]]) -> Examples:
    """The tools of ``tool_requests.yaml``, each a group by itself, and what is asked."""
    tools, asked = [], []
    for agent, kept in agents.items():
        for line in kept["tools"].splitlines():
            name, description, arguments, requests = (field.strip() for field in line.split("|"))
            tools.append((f"{agent}/{name}", _summary(name, description, arguments)))
            asked += [Asked(request.strip(), (f"{agent}/{name}",)) for request in requests.split(" ; ")]
        for line in kept["steps"].splitlines():
            request, _, names = line.rpartition("|")
            asked.append(Asked(request.strip(), tuple(f"{agent}/{name.strip()}" for name in names.split(","))))
    return Examples(tuple(tools), tuple(asked))


def _summary(name: str, description: str, arguments: str) -> str:
    """A tool as the ranking shows it to the embedder."""
    words = [" ".join(filter(None, _SPLIT.split(part))) for part in (name, *filter(None, arguments.split(", ")))]
    told = ", ".join(words[1:5])
    return f"{words[0]}: {description} ({told})" if told else f"{words[0]}: {description}"


def joined(requests: Sequence[Asked], count: int, chance: random.Random) -> Iterator[Asked]:
    """*count* requests for several things."""
    for _ in range(count):
        some = chance.sample(requests, chance.choice((2, 2, 3)))
        text = chance.choice(JOINTS).join(one.text.rstrip("?.! ") for one in some)
        yield Asked(f"{text}.", tuple(group for one in some for group in one.groups))


class Maps(torch.nn.Module):
    """Both maps, as they are fitted; they change nothing at first."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.into = torch.nn.Parameter(0.05 * torch.randn(2, dimensions, RANK))
        self.out = torch.nn.Parameter(torch.zeros(2, RANK, dimensions))
        self.sharpness = torch.nn.Parameter(torch.tensor(SHARPNESS))

    def forward(self, asked: torch.Tensor, offered: torch.Tensor) -> torch.Tensor:
        """How alike each of *asked* and each of *offered* is, sharpened."""
        told = functional.normalize(asked + asked @ self.into[0] @ self.out[0], dim=-1)
        found = functional.normalize(offered + offered @ self.into[1] @ self.out[1], dim=-1)
        return told @ found.T * self.sharpness.exp()

    def kept(self) -> Matching:
        """The maps as they are served."""
        into, out = self.into.detach().numpy(), self.out.detach().numpy()
        return Matching(asked_in=into[0], asked_out=out[0], offered_in=into[1], offered_out=out[1])


async def fitted(embedder: Embedder, examples: Examples) -> Matching:
    """The maps for *examples*: the best tool of each group that a request needs against those of all others."""
    requests = (*examples.requests, *joined(examples.requests, JOINED, random.Random(0)))
    groups = {group: at for at, group in enumerate(sorted({group for group, _ in examples.tools}))}
    asked = torch.tensor(await embedder.embed([one.text for one in requests]))
    offered = torch.tensor(await embedder.embed([text for _, text in examples.tools]))
    belongs = torch.tensor([groups[group] for group, _ in examples.tools])
    needed = torch.zeros(len(requests), len(groups))
    for row, one in enumerate(requests):
        needed[row, [groups[group] for group in one.groups]] = 1.0
    torch.manual_seed(0)
    maps = Maps(asked.shape[1])
    steps = torch.optim.AdamW(maps.parameters(), lr=RATE, weight_decay=DECAY)
    for _ in range(ROUNDS):
        for rows in torch.randperm(len(asked)).split(BATCH):  # type: ignore[no-untyped-call]
            steps.zero_grad()
            _loss(maps(_noisy(asked[rows]), _noisy(offered)), needed[rows], belongs).backward()  # type: ignore[no-untyped-call]
            steps.step()
    return maps.kept()


def _noisy(vectors: torch.Tensor) -> torch.Tensor:
    return functional.normalize(vectors + NOISE * torch.randn(vectors.shape), dim=-1)


def _loss(alike: torch.Tensor, needed: torch.Tensor, belongs: torch.Tensor) -> torch.Tensor:
    """Cross entropy of each needed group's best tool against all tools that aren't needed (InfoNCE)."""
    among = needed[:, belongs] > 0
    others = torch.logsumexp(alike.masked_fill(among, -1e9), 1, keepdim=True)
    places = belongs.expand(len(alike), -1)
    best = torch.full(needed.shape, -1e9).scatter_reduce(1, places, alike, "amax")
    return ((torch.logaddexp(best, others) - best) * needed).sum() / needed.sum()


async def report(embedder: Embedder, examples: Examples) -> None:
    """Print how often all tools of a request are among the `BEST`, on agents that the maps weren't fitted on."""
    own = agents_examples(yaml.safe_load(REQUESTS.read_text(encoding="utf-8")))
    agents = sorted({group.split("/")[0] for group, _ in own.tools})
    plain = matched = 0
    offered = await embedder.embed([text for _, text in own.tools])
    for fold in range(FOLDS):
        unseen = set(agents[fold::FOLDS])
        maps = await fitted(embedder, examples.without(unseen))
        asked = [one for one in own.requests if one.groups[0].split("/")[0] in unseen]
        vectors = await embedder.embed([one.text for one in asked])
        plain += _served(asked, vectors @ offered.T, own)
        matched += _served(asked, maps.asked(vectors) @ maps.offered(offered).T, own)
    count = len(own.requests)
    print(
        f"all tools among the best {BEST} of {len(own.tools)}: {plain / count:.3f} plain, {matched / count:.3f} matched"
    )


def _served(asked: Sequence[Asked], alike: Vectors, own: Examples) -> int:
    best = (-alike).argsort(axis=1)[:, :BEST]
    found = [{own.tools[at][0] for at in row} for row in best]
    return sum(set(one.groups) <= groups for one, groups in zip(asked, found, strict=True))


async def _run(write: bool) -> None:
    embedder, examples = build_embedder(EmbedderSettings()), read_examples()
    await report(embedder, examples)
    if write:
        data = hashlib.sha256(WRITTEN.read_bytes() + REQUESTS.read_bytes()).hexdigest()
        save_matching(WEIGHTS, await fitted(embedder, examples), embedder=minilm.NAME, data_sha256=data)
        print(f"written: {WEIGHTS}")


def main(arguments: Sequence[str]) -> int:
    """Train, report, and write the weights."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.models.training.matching", description=__doc__)
    parser.add_argument("--report", action="store_true", help="write no weights")
    options: Any = parser.parse_args(arguments)
    asyncio.run(_run(not options.report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
