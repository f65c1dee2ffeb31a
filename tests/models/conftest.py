from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from litellm_tokenopt.models.files import find_model
from litellm_tokenopt.models.onnx import OnnxEmbedder
from litellm_tokenopt.models.sentence import SentenceTransformerEmbedder
from litellm_tokenopt.settings import EmbedderSettings

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "aeiounrst"))


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """119 sentences of many kinds and languages."""
    return Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8").splitlines()


def loaded() -> OnnxEmbedder:
    """The packaged model, from the user's cache folder (exported there by the first run)."""
    from litellm_tokenopt.models.build import _local

    embedder = _local(EmbedderSettings(backend="onnx"))
    assert isinstance(embedder, OnnxEmbedder)
    embedder.warmup()
    return embedder


@pytest.fixture(scope="session")
def minilm() -> OnnxEmbedder:
    """The packaged model for all tests."""
    return loaded()


@pytest.fixture
def fresh() -> Callable[[], OnnxEmbedder]:
    """Makes the packaged model as one that has embedded nothing yet."""
    return loaded


@pytest.fixture(scope="session")
def reference() -> SentenceTransformerEmbedder:
    """The packaged model in sentence-transformers."""
    files = find_model("all-MiniLM-L6-v2")
    return SentenceTransformerEmbedder(files.name, files.folder)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Path:
    """A sentence-transformers model of two small random layers, reading at most 16 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    parts, folder = tmp_path_factory.mktemp("parts"), tmp_path_factory.mktemp("tiny") / "tiny-bert"
    (parts / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(str(parts / "vocab.txt")).save_pretrained(parts)
    sizes = BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        BertModel(sizes).save_pretrained(parts)
    modules = [Transformer(str(parts), max_seq_length=16), Pooling(32), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder
