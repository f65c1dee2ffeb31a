"""A sentence-transformers model as an 8-bit ONNX graph: token ids in, one unit vector out, and its tokens' states.

ONNX Runtime's dynamic quantisation takes one scale for a layer's whole input. BERT's inputs have a few channels and a
few tokens that are far larger than the rest, so short texts lose up to 0.17 of cosine. Two exact rewritings of each
linear layer come first: *smoothing* moves half of a channel's size (in logarithms) from the activations into the
weights (SmoothQuant, https://arxiv.org/abs/2211.10438); *row scaling* divides each token's row by its largest value,
and multiplies the product by it again.

Imports torch: for the exporting process alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from .pair_input import INPUTS, pair_inputs

Axes: TypeAlias = dict[int, str]

TINY = 1e-5
CALIBRATION_TEXTS = 64
CALIBRATION_TOKENS = 32


class SentenceVector(nn.Module):
    """The whole sentence-transformers model, for one text: ids of shape (1, tokens) in, a unit vector out.

    Its second output are the tokens' states after two thirds of the layers, for heads that are trained on them.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        layers = next(module for module in model.modules() if isinstance(module, nn.ModuleList))
        layers[len(layers) * 2 // 3 - 1].register_forward_hook(self._keep)

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes (1, dimensions) and (1, tokens, dimensions)."""
        features = self.model({"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)})
        return nn.functional.normalize(features["sentence_embedding"], dim=1), self._states

    def _keep(self, _layer: nn.Module, _inputs: object, output: Any) -> None:
        self._states = output[0] if isinstance(output, tuple) else output


class BalancedLinear(nn.Module):
    """A linear layer's equal whose product is between well-scaled matrices."""

    def __init__(self, linear: nn.Linear, balance: Tensor) -> None:
        super().__init__()
        self.shrink = nn.Parameter(1 / balance)
        self.weight = nn.Parameter((linear.weight.detach() * balance).T.contiguous())
        self.bias = linear.bias

    def forward(self, rows: Tensor) -> Tensor:
        balanced = rows * self.shrink
        size = balanced.abs().amax(-1, keepdim=True).clamp(min=TINY)
        product = torch.matmul(balanced / size, self.weight) * size
        return product if self.bias is None else product + self.bias


def write_graph(model: Any, path: Path) -> None:
    """Write *model* (a `SentenceTransformer` with eager attention), quantised, to *path*. Changes the model."""
    with torch.inference_mode():
        vector = SentenceVector(model).eval()
        balance_layers(vector, [(text,) for text in calibration_ids(model.tokenizer)])
        _export(vector, (torch.tensor([[1, 2, 3]]),), path, ["input_ids"], ["vector", "states"], {1: "tokens"})


def write_pair_graph(module: nn.Module, tokenizer: Any, path: Path) -> None:
    """Write the pair model *module*, quantised, to *path*. Changes the module."""
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    texts = [text[0, 1:-1].tolist() for text in calibration_ids(tokenizer)]
    pairs = [pair_inputs([pair], first, last) for pair in pairwise(texts)]
    inputs = [tuple(torch.from_numpy(arrays[name]) for name in INPUTS) for arrays in pairs]
    with torch.inference_mode():
        balance_layers(module, inputs)
        _export(module, inputs[0], path, list(INPUTS), ["logit"], {0: "pairs", 1: "tokens"})


def _export(
    module: nn.Module, example: tuple[Tensor, ...], path: Path, inputs: list[str], outputs: list[str], axes: Axes
) -> None:
    wide = path.with_suffix(".float.onnx")
    torch.onnx.export(
        module,
        example,
        str(wide),
        dynamo=False,
        opset_version=17,
        input_names=inputs,
        output_names=outputs,
        dynamic_axes=dict.fromkeys(inputs, axes),
    )
    # Unsigned weights: signed ones overflow the 16-bit sums of CPUs without VNNI, and vectors would differ by machine.
    quantize_dynamic(onnx.load(str(wide)), path, weight_type=QuantType.QUInt8, per_channel=True)
    wide.unlink()


def calibration_ids(tokenizer: Any) -> list[Tensor]:
    """Texts of random tokens, the same for each export: which channels are large hardly depends on the words."""
    chance = random.Random(0)
    words = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    texts = [chance.choices(words, k=chance.randint(1, CALIBRATION_TOKENS)) for _ in range(CALIBRATION_TEXTS)]
    return [torch.tensor([[first, *text, last]]) for text in texts]


def balance_layers(model: nn.Module, inputs: Sequence[tuple[Tensor, ...]]) -> None:
    """Put a `BalancedLinear` into the place of each linear layer that *inputs* of the model pass through."""
    largest = _largest_inputs(model, inputs)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and child in largest:
                setattr(parent, name, BalancedLinear(child, _balance(largest[child], child.weight)))


def _largest_inputs(model: nn.Module, examples: Sequence[tuple[Tensor, ...]]) -> dict[nn.Linear, Tensor]:
    """The largest absolute value of each input channel, by layer."""
    largest: dict[nn.Linear, Tensor] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Linear)
        seen = inputs[0].abs().flatten(0, -2).amax(0)
        largest[layer] = torch.maximum(largest[layer], seen) if layer in largest else seen

    hooks = [m.register_forward_pre_hook(note) for m in model.modules() if isinstance(m, nn.Linear)]
    for example in examples:
        model(*example)
    for hook in hooks:
        hook.remove()
    return largest


def _balance(largest_input: Tensor, weight: Tensor) -> Tensor:
    """What to divide each input channel by, and multiply its weights with."""
    largest_weight = weight.detach().abs().amax(0)
    balance = (largest_input.clamp(min=TINY) / largest_weight.clamp(min=TINY)).sqrt()
    return balance / balance.mean()
