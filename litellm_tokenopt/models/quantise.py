"""A sentence-transformers model as an 8-bit ONNX graph: token ids in, unit vectors out, or their tokens' states.

ONNX Runtime's dynamic quantisation takes one scale for a layer's whole input. BERT's inputs have a few channels and a
few tokens that are far larger than the rest, so short texts lose up to 0.17 of cosine, and a text's vector would depend
on the texts beside it. Exact rewritings of each linear layer come first: *smoothing* moves half of a channel's size (in
logarithms) from the activations into the weights (SmoothQuant, https://arxiv.org/abs/2211.10438). Then one fixed range
suits all rows where these are about as large: behind a LayerNorm, or attention. Elsewhere, behind a GELU, *row scaling*
moves each token's row into [0, 1], and undoes that behind the product.

A short text's time is that of the many small operations around the products: so a layer's queries, keys and values are
one product, ranges are fixed where they may be, and what ONNX Runtime has one operation for (`MatMulIntegerToFloat`,
`MultiHeadAttention`) is written so.

Imports torch: for the exporting process alone.
"""

from __future__ import annotations

import random
from collections import defaultdict
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
LEVELS = 255
ALIKE = 6.0
"""How much larger than the middle one the largest row of an input may be for all to have one range."""
ONE_SIDED = 4.0
"""How much further an input goes up than down behind a GELU, whose largest rows no sample has."""
EMBEDDING_LEVELS = 127
MANY_ROWS = 10_000
"""Tables of so many embeddings are kept in 8 bits."""
STATE_LAYERS = 2
"""Of MiniLM's six: behind more of them, words are hardly better told apart."""
CALIBRATION_TEXTS = 64
CALIBRATION_TOKENS = 32
SENTENCES = (
    "Can I still change the address on an order that was shipped yesterday?",
    "The committee met on 12 May 2021 and agreed to postpone the vote until every member had read the report.",
    "for name, value in sorted(items.items()): print(f'{name}: {value:.2f}')",
    "Thanks! That worked. What does the second option cost per month, and is there a discount for students?",
    "ERROR 2024-03-05 09:14:22 payment-service: timeout after 30000 ms, retrying (2 of 3)",
    "Photosynthesis turns light, water and carbon dioxide into sugar; plants release oxygen as they do so.",
    '{"id": 4711, "status": "open", "tags": ["billing", "urgent"], "owner": null}',
    "Never mix bleach with ammonia, not even in small amounts.",
    "She left the keys with the neighbour, who isn't home before six, so I waited outside in the rain.",
    "Quelle est la différence entre un contrat à durée déterminée et un contrat à durée indéterminée?",
    "The quick start: install the package, set the key, run the server. Then open http://localhost:8080/docs.",
    "Dose: 5 mg/kg every 8 hours, at most 40 mg/kg a day; stop at once if a rash appears.",
    "Is the museum open on Mondays?",
    "Compared with the year before, revenue rose by 14.2 % to 3.1 billion euros, while profit fell by a third.",
)
"""As little like another as can be: by them and by random tokens it's told how far numbers go within the model."""


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
        self.product = nn.Linear(parts[0].in_features, sum(self.sizes))
        self.product.weight = nn.Parameter(torch.cat([part.weight for part in parts]))
        self.product.bias = nn.Parameter(torch.cat([part.bias for part in parts]))

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        """Shape (texts, tokens, dimensions), and no weights."""
        queries, keys, values = self.product(hidden_states).split(self.sizes, -1)
        found: Tensor = _Attention.apply(queries, keys, values, self.heads)  # type: ignore[no-untyped-call]
        return found, None


class _Attention(torch.autograd.Function):
    """Multi-head attention; ONNX Runtime's own in the graph."""

    @staticmethod
    def forward(_ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
        parts = (queries, keys, values)
        q, k, v = (part.reshape(*part.shape[:2], heads, -1).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5
        found: Tensor = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return found

    @staticmethod
    def symbolic(graph: Any, queries: Any, keys: Any, values: Any, heads: int) -> Any:
        found = graph.op("com.microsoft::MultiHeadAttention", queries, keys, values, num_heads_i=heads)
        return found.setType(values.type())


class BalancedLinear(nn.Module):
    """A linear layer's equal, up to rounding, whose product is between matrices of 8 bits.

    *seen* are rows of its input, shape (rows, channels), which tell its range.
    """

    def __init__(self, linear: nn.Linear, seen: Tensor) -> None:
        super().__init__()
        balance = _balance(seen.abs().amax(0), linear.weight)
        weight = (linear.weight.detach() * balance).T
        steps = (weight.abs().amax(0) / WEIGHT_LEVELS).clamp(min=torch.finfo().tiny)
        levels = torch.round(weight / steps)
        self.weight = nn.Parameter(levels.to(torch.int8).contiguous(), requires_grad=False)
        bias = torch.zeros(linear.out_features) if linear.bias is None else linear.bias.detach()
        self.fixed, low, step = _range_of(seen / balance)
        # Behind a fixed range a number is its own level; else a row is moved into [0, 1] first.
        self.zero = round(-low / step) if self.fixed else 0
        self.shrink = nn.Parameter(1 / balance / (step if self.fixed else 1.0))
        self.steps = nn.Parameter(steps * (step if self.fixed else 1.0))
        self.sums = nn.Parameter(levels.sum(0) * steps)
        self.bias = nn.Parameter(bias)
        self.nothing = nn.Parameter(torch.zeros_like(bias))

    def forward(self, rows: Tensor) -> Tensor:
        balanced = rows * self.shrink
        if self.fixed:
            return self._product(balanced, self.bias, 1.0, self.zero)
        lowest = balanced.amin(-1, keepdim=True)
        size = (balanced.amax(-1, keepdim=True) - lowest).clamp(min=TINY)
        product = self._product((balanced - lowest) / size, self.nothing, 1 / LEVELS, 0)
        return product * size + (lowest * self.sums + self.bias)

    def _product(self, rows: Tensor, bias: Tensor, step: float, zero: int) -> Tensor:
        product: Tensor = _Product.apply(rows, self.weight, self.steps, bias, step, zero)  # type: ignore[no-untyped-call]
        return product


def _range_of(rows: Tensor) -> tuple[bool, float, float]:
    """(whether all *rows* may have one range, where that begins, and what one of its levels stands for)."""
    low, high = float(rows.amin().clamp(max=-TINY)), float(rows.amax().clamp(min=TINY))
    sizes = rows.abs().amax(1)
    alike = bool(sizes.max() <= ALIKE * sizes.median()) and high < ONE_SIDED * -low
    return alike, low, (high - low) / LEVELS


class _Product(torch.autograd.Function):
    """*rows* and whole numbers *weight*, multiplied in 8 bits, and *bias*.

    A row's numbers are in *step* and above -*zero* of them, a column's in its *steps*.
    """

    @staticmethod
    def forward(_ctx: Any, rows: Tensor, weight: Tensor, steps: Tensor, bias: Tensor, step: float, zero: int) -> Tensor:
        rounded = torch.fake_quantize_per_tensor_affine(rows, step, zero, 0, LEVELS)
        return rounded @ weight.float() * steps + bias

    @staticmethod
    def symbolic(graph: Any, rows: Any, weight: Any, steps: Any, bias: Any, step: float, zero: int) -> Any:
        one = graph.op("Constant", value_t=torch.tensor(step))
        middle = graph.op("Constant", value_t=torch.tensor(zero, dtype=torch.uint8))
        none = graph.op("Constant", value_t=torch.tensor(0, dtype=torch.int8))
        levels = graph.op("QuantizeLinear", rows, one, middle)
        inputs = (levels, weight, one, steps, middle, none, bias)
        product = graph.op("com.microsoft::MatMulIntegerToFloat", *inputs)
        return product.setType(_sized(steps, rows.type().dim()))


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
    """Texts of random tokens, the same for each export, and sentences, whose words look at each other more."""
    chance = random.Random(0)
    words = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    texts = [chance.choices(words, k=chance.randint(1, CALIBRATION_TOKENS)) for _ in range(CALIBRATION_TEXTS)]
    texts += [tokenizer.encode(text, add_special_tokens=False) for text in SENTENCES]
    return [torch.tensor([[first, *text, last]]) for text in texts]


def balance_layers(model: nn.Module, inputs: Sequence[tuple[Tensor, ...]]) -> None:
    """Put a `BalancedLinear` into the place of each linear layer that tokens of the *inputs* pass through.

    Layers behind, which read one row of a whole input, take no time, and their rows differ by far: they stay exact.
    """
    seen = _rows_seen(model, inputs)
    _replace(model, nn.Linear, lambda layer: BalancedLinear(layer, seen[layer]) if layer in seen else layer)


def _rows_seen(model: nn.Module, examples: Sequence[tuple[Tensor, ...]]) -> dict[nn.Linear, Tensor]:
    """The tokens' rows of each layer's input, shape (rows, channels)."""
    found: dict[nn.Linear, list[Tensor]] = defaultdict(list)

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Linear)
        if inputs[0].dim() == 3:
            found[layer].append(inputs[0].flatten(0, -2))

    hooks = [m.register_forward_pre_hook(note) for m in model.modules() if isinstance(m, nn.Linear)]
    for example in examples:
        model(*example)
    for hook in hooks:
        hook.remove()
    return {layer: torch.cat(rows) for layer, rows in found.items()}


def _balance(largest_input: Tensor, weight: Tensor) -> Tensor:
    """What to divide each input channel by, and multiply its weights with."""
    largest_weight = weight.detach().abs().amax(0)
    balance = (largest_input.clamp(min=TINY) / largest_weight.clamp(min=TINY)).sqrt()
    return balance / balance.mean()
