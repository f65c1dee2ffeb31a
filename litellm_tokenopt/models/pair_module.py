"""The pair model in torch: do two questions ask the same? For training it, and for the exporting process.

A cross-encoder made of a sentence model's own first layers: both questions are read together, and each word piece is
marked where the other question has it too. What training changed is kept as differences from the packaged weights,
four bits each (small differences survive coarse rounding: BitDelta, https://arxiv.org/abs/2402.10193).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LAYERS = 4
LEVELS = 7
"""A difference is a whole number from -7 to 7 times its row's scale."""

SMALL = 50_000
"""Parameters of fewer numbers are kept as they are, in half precision."""

State = Mapping[str, Tensor]


class PairModule(nn.Module):
    """Logits of "both ask the same", shape (pairs,), from pairs as `pair_input` gives them.

    *bert* is a Hugging Face `BertModel`; its first layers are used, not copied.
    """

    def __init__(self, bert: Any) -> None:
        super().__init__()
        size = bert.config.hidden_size
        self.embeddings = bert.embeddings
        self.layers = nn.ModuleList(bert.encoder.layer[:LAYERS])
        self.shared = nn.Embedding(2, size)
        nn.init.normal_(self.shared.weight, std=0.02)
        self.inner = nn.Linear(4 * size, 128)
        self.outer = nn.Linear(128, 1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, input_ids: Tensor, second: Tensor, shared: Tensor, text: Tensor, padding: Tensor) -> Tensor:
        """All inputs of shape (pairs, tokens): ids; 1 in the second question; 1 where the other has the piece too;

        1 at the questions' own pieces; 1 at padding.
        """
        states = self.embeddings(input_ids=input_ids, token_type_ids=second) + self.shared(shared)
        mask = padding[:, None, None, :].float() * -1e4
        for layer in self.layers:
            states = layer(states, attention_mask=mask)
            states = states[0] if isinstance(states, tuple) else states
        first, other = _mean(states, text * (1 - second)), _mean(states, text * second)
        largest = (states - 1e4 * padding[..., None]).amax(1)
        features = torch.cat([states[:, 0], (first - other).abs(), first * other, largest], 1)
        logits: Tensor = self.outer(self.dropout(nn.functional.gelu(self.inner(features)))).squeeze(1)
        return logits


def _mean(states: Tensor, where: Tensor) -> Tensor:
    weights = where.float()
    return (states * weights[..., None]).sum(1) / weights.sum(1, keepdim=True).clamp(min=1)


def pack(trained: State, original: State) -> dict[str, NDArray[Any]]:
    """What `unpack` needs to make *trained* from *original*: names of arrays for one npz file."""
    packed: dict[str, NDArray[Any]] = {}
    for name, tensor in trained.items():
        before = original.get(name)
        if before is not None and torch.equal(before, tensor):
            continue
        if before is None or tensor.numel() < SMALL:
            packed[f"whole/{name}"] = tensor.numpy().astype(np.float16)
        else:
            codes, scales = _codes((tensor - before).numpy())
            packed[f"codes/{name}"], packed[f"scales/{name}"] = codes, scales
    return packed


def unpack(packed: Mapping[str, NDArray[Any]], original: State) -> dict[str, Tensor]:
    """The trained parameters, as near as four bits come."""
    state = {name: tensor.clone() for name, tensor in original.items()}
    for key, array in packed.items():
        kind, name = key.split("/", 1)
        if kind == "whole":
            state[name] = torch.from_numpy(array.astype(np.float32))
        elif kind == "codes":
            state[name] = original[name] + torch.from_numpy(_differences(array, packed[f"scales/{name}"]))
    return state


def load_pair_module(bert: Any, weights: Path) -> PairModule:
    """The trained module over *bert*, whose weights it changes."""
    module = PairModule(bert)
    with np.load(weights, allow_pickle=False) as packed:
        module.load_state_dict(unpack(dict(packed), module.state_dict()))
    return module.eval()


def _codes(differences: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """(two 4-bit numbers a byte, a scale a row)."""
    scales = (np.abs(differences).max(1, keepdims=True) / LEVELS).clip(1e-8)
    levels = (np.rint(differences / scales) + LEVELS + 1).astype(np.uint8)
    return levels[:, ::2] | (levels[:, 1::2] << 4), scales[:, 0].astype(np.float16)


def _differences(codes: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    levels = np.empty((len(codes), 2 * codes.shape[1]), np.float32)
    levels[:, ::2], levels[:, 1::2] = codes & 15, codes >> 4
    return np.asarray((levels - LEVELS - 1) * scales[:, None].astype(np.float32), np.float32)
