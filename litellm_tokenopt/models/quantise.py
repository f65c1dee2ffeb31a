"""A sentence-transformers model as an 8-bit ONNX graph: token ids in, unit vectors out, and their tokens' states.

ONNX Runtime's dynamic quantisation takes one scale for a layer's whole input. BERT's inputs have a few channels and a
few tokens that are far larger than the rest, so short texts lose up to 0.17 of cosine, and a text's vector would depend
on the texts beside it. Exact rewritings of each linear layer come first: *smoothing* moves half of a channel's size (in
logarithms) from the activations into the weights (SmoothQuant, https://arxiv.org/abs/2211.10438); *row scaling* moves
each token's row into [-1, 1], and undoes that behind the product. So one fixed scale suits every row.

Imports torch: for the exporting process alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from .pair_input import INPUTS, pair_inputs

TINY = 1e-5
WEIGHT_LEVELS = 64
"""Signed weights of 7 bits: 8 overflow the 16-bit sums of CPUs without VNNI, and vectors would differ by machine."""
ROW_SCALE, ROW_ZERO = np.float32(1 / 127), np.uint8(128)
"""How a row in [-1, 1] is written in 8 bits."""
CALIBRATION_TEXTS = 64
CALIBRATION_TOKENS = 32


class SentenceVector(nn.Module):
    """The whole sentence-transformers model: ids and mask of shape (texts, tokens) in, unit vectors out.

    Its second output are the tokens' states after two thirds of the layers, for heads that are trained on them.
    """

    def __init__(self, model: nn.Sequential) -> None:
        super().__init__()
        self.model = model
        layers = next(module for module in model.modules() if isinstance(module, nn.ModuleList))
        layers[len(layers) * 2 // 3 - 1].register_forward_hook(self._keep)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes (texts, dimensions) and (texts, tokens, dimensions)."""
        features = {"input_ids": input_ids, "attention_mask": attention_mask}
        for part in self.model:
            features = _pooled(features) if _takes_means(part) else part(features)
        return nn.functional.normalize(features["sentence_embedding"], dim=1), self._states

    def _keep(self, _layer: nn.Module, _inputs: object, output: Any) -> None:
        self._states = output[0] if isinstance(output, tuple) else output


def _takes_means(part: nn.Module) -> bool:
    older = getattr(part, "get_pooling_mode_str", None)
    return (older() if older else getattr(part, "pooling_mode", None)) == "mean"


def _pooled(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Means over tokens as a product: ONNX Runtime's sums over tokens differ in their last bits by how many texts."""
    mask = features["attention_mask"].float()[:, None]
    sums = torch.matmul(mask, features["token_embeddings"])
    return features | {"sentence_embedding": (sums / mask.sum(-1, keepdim=True))[:, 0]}


class BalancedLinear(nn.Module):
    """A linear layer's equal whose product is between well-scaled matrices, the weights rounded already."""

    def __init__(self, linear: nn.Linear, balance: Tensor) -> None:
        super().__init__()
        self.shrink = nn.Parameter(1 / balance)
        self.weight = nn.Parameter(_rounded((linear.weight.detach() * balance).T))
        self.sums = nn.Parameter(self.weight.detach().sum(0))
        self.bias = linear.bias

    def forward(self, rows: Tensor) -> Tensor:
        balanced = rows * self.shrink
        low, high = balanced.amin(-1, keepdim=True), balanced.amax(-1, keepdim=True)
        middle, half = (high + low) / 2, ((high - low) / 2).clamp(min=TINY)
        product = torch.matmul((balanced - middle) / half, self.weight) * half + middle * self.sums
        return product if self.bias is None else product + self.bias


def _rounded(weight: Tensor) -> Tensor:
    """*weight* (inputs, outputs) in as many levels as its 8-bit form has, so that sums over it are the served ones."""
    step = (weight.abs().amax(0) / WEIGHT_LEVELS).clamp(min=torch.finfo().tiny)
    return (torch.round(weight / step) * step).contiguous()


def write_graph(model: Any, path: Path) -> None:
    """Write *model* (a `SentenceTransformer` with eager attention), quantised, to *path*. Changes the model."""
    with torch.inference_mode():
        vector = SentenceVector(model).eval()
        balance_layers(vector, [(text, torch.ones_like(text)) for text in calibration_ids(model.tokenizer)])
        example = torch.tensor([[1, 2, 3], [1, 2, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
        _export(vector, example, path, ["input_ids", "attention_mask"], ["vector", "states"], ("texts", "tokens"))


def write_pair_graph(module: nn.Module, tokenizer: Any, path: Path) -> None:
    """Write the pair model *module*, quantised, to *path*. Changes the module."""
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    texts = [text[0, 1:-1].tolist() for text in calibration_ids(tokenizer)]
    pairs = [pair_inputs([pair], first, last) for pair in pairwise(texts)]
    inputs = [tuple(torch.from_numpy(arrays[name]) for name in INPUTS) for arrays in pairs]
    with torch.inference_mode():
        balance_layers(module, inputs)
        _export(module, inputs[0], path, list(INPUTS), ["logit"], ("pairs", "tokens"))


def _export(
    module: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    axes: tuple[str, str],
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
        dynamic_axes={name: dict(enumerate(axes)) for name in inputs},
    )
    quantize_dynamic(onnx.load(str(wide)), path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    wide.unlink()
    _fix_scales(path)


def _fix_scales(path: Path) -> None:
    """Give all rows of the graph in *path* one scale, in place of one that depends on what else is there."""
    model = onnx.load(str(path))
    graph = model.graph
    for name, number in (("scale", ROW_SCALE), ("zero", ROW_ZERO)):
        graph.initializer.append(numpy_helper.from_array(np.array(number), name))
    fixed: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            quantised, scale, zero = node.output
            fixed |= {scale: "scale", zero: "zero"}
            node = helper.make_node("QuantizeLinear", [node.input[0], "scale", "zero"], [quantised], name=node.name)
        nodes.append(node)
    for node in nodes:
        node.input[:] = [fixed.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, str(path))


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
