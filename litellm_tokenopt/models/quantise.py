"""A sentence-transformers model as an 8-bit ONNX graph: token ids in, unit vectors out, or their tokens' states.

ONNX Runtime's dynamic quantisation takes one scale for a layer's whole input. BERT's inputs have a few channels and a
few tokens that are far larger than the rest, so short texts lose up to 0.17 of cosine, and a text's vector would depend
on the texts beside it. Exact rewritings of each linear layer come first: *smoothing* moves half of a channel's size (in
logarithms) from the activations into the weights (SmoothQuant, https://arxiv.org/abs/2211.10438); *row scaling* moves
each token's row into [-1, 1], and undoes that behind the product. So one fixed scale suits every row.

A short text's time is that of the many small operations around the products: so a layer's queries, keys and values are
one product, and what ONNX Runtime has one operation for (`MatMulIntegerToFloat`, `MultiHeadAttention`) is written so.

Imports torch: for the exporting process alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .pair_input import INPUTS, pair_inputs

M = TypeVar("M", bound=nn.Module)

TINY = 1e-5
WEIGHT_LEVELS = 64
"""Signed weights of 7 bits: 8 overflow the 16-bit sums of CPUs without VNNI, and vectors would differ by machine."""
ROW_LEVELS = 127
UNEVEN = 1.5
"""How much further an input goes to one side than to the other for its rows to be centred."""
EMBEDDING_LEVELS = 127
MANY_ROWS = 10_000
"""Tables of so many embeddings are kept in 8 bits."""
STATE_LAYERS = 2
"""Of MiniLM's six: behind more of them, words are hardly better told apart."""
CALIBRATION_TEXTS = 64
CALIBRATION_TOKENS = 32


class SentenceVector(nn.Module):
    """The whole sentence-transformers model: ids of shape (texts, tokens) in, no padding, unit vectors out."""

    def __init__(self, model: nn.Sequential) -> None:
        super().__init__()
        self.model = model
        fold_token_types(model)
        fuse_attention(model)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Shape (texts, dimensions)."""
        features = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}
        for part in self.model:
            features = _pooled(features) if _takes_means(part) else part(features)
        return nn.functional.normalize(features["sentence_embedding"], dim=1)


class TokenStates(nn.Module):
    """The first layers of BERT: ids of shape (texts, tokens) in, the tokens' states behind these layers out.

    A graph of its own: ONNX Runtime computes all of a graph, whichever of its outputs is asked for.
    """

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.bert = bert
        bert.encoder.layer = bert.encoder.layer[:STATE_LAYERS]
        fold_token_types(bert)
        fuse_attention(bert)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Shape (texts, tokens, dimensions)."""
        states: Tensor = self.bert(input_ids, attention_mask=torch.ones_like(input_ids)).last_hidden_state
        return states


def _takes_means(part: nn.Module) -> bool:
    older = getattr(part, "get_pooling_mode_str", None)
    return (older() if older else getattr(part, "pooling_mode", None)) == "mean"


def _pooled(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Means over tokens as a product: ONNX Runtime's sums over tokens differ in their last bits by how many texts."""
    mask = features["attention_mask"].float()[:, None]
    sums = torch.matmul(mask, features["token_embeddings"])
    return features | {"sentence_embedding": (sums / mask.sum(-1, keepdim=True))[:, 0]}


class FusedAttention(nn.Module):
    """A BERT layer's self-attention over all tokens, with one product for queries, keys and values."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        parts = (attention.query, attention.key, attention.value)
        self.heads = attention.num_attention_heads
        self.sizes = [part.out_features for part in parts]
        self.product = nn.Linear(parts[0].in_features, sum(self.sizes), bias=False)
        self.product.weight = nn.Parameter(torch.cat([part.weight for part in parts]))
        self.bias = nn.Parameter(torch.cat([part.bias for part in parts]))

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        """Shape (texts, tokens, dimensions), and no weights."""
        queries, keys, values = self.product(hidden_states).split(self.sizes, -1)
        found: Tensor = _Attention.apply(queries, keys, values, self.bias, self.heads)  # type: ignore[no-untyped-call]
        return found, None


class _Attention(torch.autograd.Function):
    """Multi-head attention; ONNX Runtime's own in the graph."""

    @staticmethod
    def forward(_ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, heads: int) -> Tensor:
        parts = (part + b for part, b in zip((queries, keys, values), bias.chunk(3), strict=True))
        q, k, v = (part.reshape(*part.shape[:2], heads, -1).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5
        found: Tensor = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return found

    @staticmethod
    def symbolic(graph: Any, queries: Any, keys: Any, values: Any, bias: Any, heads: int) -> Any:
        inputs = (queries, keys, values, bias)
        return graph.op("com.microsoft::MultiHeadAttention", *inputs, num_heads_i=heads).setType(_sized(bias, 3, 3))


class BalancedLinear(nn.Module):
    """A linear layer's equal, up to rounding, whose product is between matrices of 8 bits.

    *lowest* and *highest* are the extremes of each channel of its input. Where those are uneven, as behind a GELU,
    rows are centred too.
    """

    def __init__(self, linear: nn.Linear, lowest: Tensor, highest: Tensor) -> None:
        super().__init__()
        balance = _balance(torch.maximum(-lowest, highest), linear.weight)
        weight = (linear.weight.detach() * balance).T
        steps = (weight.abs().amax(0) / WEIGHT_LEVELS).clamp(min=torch.finfo().tiny)
        self.shrink = nn.Parameter(1 / balance)
        self.weight = nn.Parameter(torch.round(weight / steps).to(torch.int8).contiguous(), requires_grad=False)
        self.steps = nn.Parameter(steps)
        self.sums = nn.Parameter(self.weight.float().sum(0) * steps)
        self.bias = linear.bias
        low, high = sorted((-float((lowest / balance).amin()), float((highest / balance).amax())))
        self.uneven = high > UNEVEN * low

    def forward(self, rows: Tensor) -> Tensor:
        balanced = rows * self.shrink
        product = self._centred(balanced) if self.uneven else self._product(balanced, balanced.abs())
        return product if self.bias is None else product + self.bias

    def _centred(self, rows: Tensor) -> Tensor:
        middle = (rows.amax(-1, keepdim=True) + rows.amin(-1, keepdim=True)) / 2
        centred = rows - middle
        return self._product(centred, centred) + middle * self.sums

    def _product(self, rows: Tensor, sizes: Tensor) -> Tensor:
        size = sizes.amax(-1, keepdim=True).clamp(min=TINY)
        product: Tensor = _Product.apply(rows / size, self.weight, self.steps, rows.dim())  # type: ignore[no-untyped-call]
        return product * size


class _Product(torch.autograd.Function):
    """*rows* in [-1, 1] and whole numbers *weight*, multiplied in 8 bits; a column's numbers are in its *steps*."""

    @staticmethod
    def forward(_ctx: Any, rows: Tensor, weight: Tensor, steps: Tensor, _dimensions: int) -> Tensor:
        return torch.round(rows * ROW_LEVELS) @ weight.float() * (steps / ROW_LEVELS)

    @staticmethod
    def symbolic(graph: Any, rows: Any, weight: Any, steps: Any, dimensions: int) -> Any:
        step = graph.op("Constant", value_t=torch.tensor(1 / ROW_LEVELS))
        zero = graph.op("Constant", value_t=torch.tensor(128, dtype=torch.uint8))
        levels = graph.op("QuantizeLinear", rows, step, zero)
        product = graph.op("com.microsoft::MatMulIntegerToFloat", levels, weight, step, steps, zero)
        return product.setType(_sized(steps, dimensions))


def _sized(like: Any, dimensions: int, parts: int = 1) -> Any:
    """The type of an array of so many *dimensions*, the last as long as *like*, or one of its *parts*, is."""
    return like.type().with_sizes([None] * (dimensions - 1) + [like.type().sizes()[0] // parts])


class SmallEmbedding(nn.Module):
    """A table of embeddings in 8 bits, with a scale each."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        weight = table.weight.detach()
        steps = (weight.abs().amax(1, keepdim=True) / EMBEDDING_LEVELS).clamp(min=torch.finfo().tiny)
        self.weight = nn.Parameter(torch.round(weight / steps).to(torch.int8), requires_grad=False)
        self.steps = nn.Parameter(steps)

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(ids, self.weight).float() * nn.functional.embedding(ids, self.steps)


def write_graph(model: Any, path: Path) -> None:
    """Write *model* (a `SentenceTransformer` with eager attention), quantised, to *path*. Changes the model."""
    with torch.inference_mode():
        _write_texts_graph(SentenceVector(model), model.tokenizer, path, "vector")


def write_states_graph(model: Any, path: Path) -> None:
    """Write the first layers of *model* (a `SentenceTransformer` of BERT), quantised, to *path*. Changes the model."""
    with torch.inference_mode():
        _write_texts_graph(TokenStates(model[0].auto_model), model.tokenizer, path, "states")


def _write_texts_graph(module: nn.Module, tokenizer: Any, path: Path, output: str) -> None:
    balance_layers(module.eval(), [(text,) for text in calibration_ids(tokenizer)])
    example = (torch.tensor([[1, 2, 3], [3, 2, 1]]),)
    _export(module, example, path, ["input_ids"], [output], ("texts", "tokens"))


def write_pair_graph(module: nn.Module, tokenizer: Any, path: Path) -> None:
    """Write the pair model *module*, quantised, to *path*, for pairs of one width. Changes the module."""
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    texts = [text[0, 1:-1].tolist() for text in calibration_ids(tokenizer)]
    pairs = [pair_inputs([pair], first, last) for pair in pairwise(texts)]
    inputs = [tuple(torch.from_numpy(arrays[name]) for name in INPUTS) for arrays in pairs]
    with torch.inference_mode():
        fuse_attention(module)
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
    _replace(module, nn.Embedding, lambda table: SmallEmbedding(table) if table.num_embeddings >= MANY_ROWS else table)
    torch.onnx.export(
        module,
        example,
        str(path),
        dynamo=False,
        opset_version=17,
        custom_opsets={"com.microsoft": 1},
        input_names=inputs,
        output_names=outputs,
        dynamic_axes={name: dict(enumerate(axes)) for name in inputs},
    )


def fold_token_types(model: nn.Module) -> None:
    """Add the first token type's embedding, which all tokens have, to those of the positions."""
    for module in model.modules():
        types, positions = (getattr(module, f"{kind}_embeddings", None) for kind in ("token_type", "position"))
        if isinstance(types, nn.Embedding) and isinstance(positions, nn.Embedding):
            positions.weight.add_(types.weight[0])
            module.token_type_embeddings = Nothing()


class Nothing(nn.Module):
    """In the place of embeddings that are part of others."""

    def forward(self, _ids: Tensor) -> Tensor:
        return torch.zeros(())


def fuse_attention(model: nn.Module) -> None:
    """Put a `FusedAttention` into the place of each self-attention of BERT's kind."""
    _replace(model, nn.Module, lambda module: FusedAttention(module) if _is_berts(module) else module)


def _is_berts(module: Any) -> bool:
    parts = [getattr(module, name, None) for name in ("query", "key", "value")]
    plain = getattr(module, "position_embedding_type", None) in (None, "absolute")
    square = all(isinstance(part, nn.Linear) and part.bias is not None for part in parts)
    return type(module).__name__.endswith("SelfAttention") and plain and square


def _replace(model: nn.Module, kind: type[M], other: Callable[[M], nn.Module]) -> None:
    """Put *other*'s result into the place of each module of *kind* in *model*."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, kind):
                setattr(parent, name, other(child))


def calibration_ids(tokenizer: Any) -> list[Tensor]:
    """Texts of random tokens, the same for each export: which channels are large hardly depends on the words."""
    chance = random.Random(0)
    words = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    texts = [chance.choices(words, k=chance.randint(1, CALIBRATION_TOKENS)) for _ in range(CALIBRATION_TEXTS)]
    return [torch.tensor([[first, *text, last]]) for text in texts]


def balance_layers(model: nn.Module, inputs: Sequence[tuple[Tensor, ...]]) -> None:
    """Put a `BalancedLinear` into the place of each linear layer that *inputs* of the model pass through."""
    extremes = _extremes(model, inputs)
    _replace(model, nn.Linear, lambda layer: BalancedLinear(layer, *extremes[layer]) if layer in extremes else layer)


def _extremes(model: nn.Module, examples: Sequence[tuple[Tensor, ...]]) -> dict[nn.Linear, tuple[Tensor, Tensor]]:
    """Each input channel's lowest and highest value, by layer."""
    found: dict[nn.Linear, tuple[Tensor, Tensor]] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Linear)
        rows = inputs[0].flatten(0, -2)
        lowest, highest = rows.amin(0), rows.amax(0)
        if layer in found:
            lowest, highest = torch.minimum(found[layer][0], lowest), torch.maximum(found[layer][1], highest)
        found[layer] = lowest, highest

    hooks = [m.register_forward_pre_hook(note) for m in model.modules() if isinstance(m, nn.Linear)]
    for example in examples:
        model(*example)
    for hook in hooks:
        hook.remove()
    return found


def _balance(largest_input: Tensor, weight: Tensor) -> Tensor:
    """What to divide each input channel by, and multiply its weights with."""
    largest_weight = weight.detach().abs().amax(0)
    balance = (largest_input.clamp(min=TINY) / largest_weight.clamp(min=TINY)).sqrt()
    return balance / balance.mean()
