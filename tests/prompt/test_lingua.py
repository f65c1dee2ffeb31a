"""``llmlingua`` behind our protection, with small random models of both kinds."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.optimizer import TokenOptimizer
from litellm_tokenopt.prompt.lingua import LinguaCompressor
from litellm_tokenopt.prompt.quality import quality
from litellm_tokenopt.prompt.tags import without_tags
from litellm_tokenopt.prompt.words import numbers
from litellm_tokenopt.stage import Detail
from litellm_tokenopt.tokens import count_text

pytest.importorskip("llmlingua", reason="needs pip install 'litellm-tokenopt[llmlingua]'")

PART = (
    "The pump in hall 7 must never run dry, because its seal costs 1,250 EUR and takes weeks to arrive from Osaka. "
    "Please open `valve_3` before you start it, and then wait until the needle stands at 2.5 bar or above that mark. "
    "The colleagues of the evening shift usually note all of this in the green book that lies on the long table.\n\n"
)
TEXT = PART + PART.replace("hall 7", "hall 9").replace("pump", "Fan") + PART.replace("green", "red")


@pytest.fixture(scope="session")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 of two small random layers."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<end>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([TEXT], trainer)
    end = {"bos_token": "<end>", "eos_token": "<end>", "unk_token": "<end>"}
    sizes = GPT2Config(
        vocab_size=500, n_positions=512, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )  # fmt: skip
    return _saved(PreTrainedTokenizerFast(tokenizer_object=tokenizer, **end), GPT2LMHeadModel, sizes, tmp_path_factory)


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An XLM-R token classifier of two small random layers."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForTokenClassification

    special = {
        "bos_token": "<s>",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=list(special.values()), unk_token="<unk>")
    tokenizer.train_from_iterator([TEXT], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token="<s>", sep_token="</s>", **special)
    sizes = XLMRobertaConfig(
        vocab_size=len(fast), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=600, num_labels=2,
    )  # fmt: skip
    return _saved(fast, XLMRobertaForTokenClassification, sizes, tmp_path_factory)


def _saved(tokenizer, kind, sizes, folders: pytest.TempPathFactory) -> Path:
    import torch

    folder = folders.mktemp(sizes.model_type)
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        kind(sizes).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["causal", "classifier"])
@pytest.mark.parametrize("question", ["", "What is in hall 9?"])
async def test_compresses_and_protects(kind: str, question: str, request: pytest.FixtureRequest) -> None:
    """LLMLingua, LongLLMLingua and LLMLingua-2 leave words out; none is changed, and what must stay does."""
    compressor = LinguaCompressor(str(request.getfixturevalue(kind)))
    found = await compressor.compress(TEXT, 0.5, question)
    assert count_text(found) < 0.9 * count_text(TEXT)
    rest = iter(TEXT.split())
    assert all(word in rest for word in found.split())
    kept = quality(TEXT, found)
    assert kept.identifiers == kept.names == 1
    assert [found.count(number) >= TEXT.count(number) for number in numbers(TEXT)].count(False) == 0
    assert found.count("must never") == 3
    assert await compressor.compress(TEXT, 0.5, question) == found
    assert await compressor.compress(TEXT, 1.0) == TEXT
    compressor.close()


SHORT = (
    "the colleagues of the evening shift usually write all of this down in the green book that lies on the long table "
    "near the window. before that they wash the cups, put the chairs back, and look whether the lamps are off."
)


@pytest.mark.parametrize("kind", ["causal", "classifier"])
@pytest.mark.parametrize("question", ["", "Where is the green book?"])
async def test_short_texts_too(kind: str, question: str, request: pytest.FixtureRequest) -> None:
    """A text of some sentences is shortened like a long one, though llmlingua takes 200 tokens at a time."""
    compressor = LinguaCompressor(str(request.getfixturevalue(kind)))
    found = await compressor.compress(SHORT, 0.5, question)
    assert count_text(SHORT) < 60
    assert 0.2 * count_text(SHORT) < count_text(found) < 0.8 * count_text(SHORT)
    compressor.close()


async def test_leaves_the_process_as_it_was(classifier: Path) -> None:
    """Loading llmlingua neither seeds the process's random numbers nor changes its environment."""
    random.seed(5)
    expected, seed = random.Random(5).random(), os.environ.get("PYTHONHASHSEED")
    await LinguaCompressor(str(classifier)).compress(TEXT, 0.5)
    assert random.random() == expected
    assert os.environ.get("PYTHONHASHSEED") == seed


async def test_no_model(tmp_path: Path) -> None:
    """A folder without a model is a clear error."""
    with pytest.raises(ModelUnavailable, match=r"prompt\.llmlingua_model .* can't be loaded"):
        await LinguaCompressor(str(tmp_path)).compress(TEXT, 0.5)


@pytest.mark.parametrize("kind", ["causal", "classifier"])
@pytest.mark.parametrize("question", ["What stands in hall 9, and who notes it?", "Hello"])
async def test_by_settings(kind: str, question: str, request: pytest.FixtureRequest) -> None:
    """Named in the settings it squeezes what may be: what is marked stays, words that must do, and no tag is sent."""
    prompt = {"compressor": "llmlingua", "llmlingua_model": str(request.getfixturevalue(kind)), "min_quality": 0.5}
    kept = "The  green book,\n\n exactly so  \u0130\u0301!"
    text = f"You help.\n<squeeze ratio=0.5>{PART}<keep>{kept}</keep>\n{PART.replace('7', '9')}</squeeze>\nBe brief."
    sent, detail = await _sent(prompt, text, question)
    assert sent.startswith("You help.\n")
    assert sent.endswith("\nBe brief.")
    assert kept in sent
    assert "<" not in sent
    rest = iter(without_tags(text).split())
    assert all(word in rest for word in sent.split())
    assert count_text(sent) < 0.9 * count_text(text)
    assert sent.count("must never run dry") == 2
    assert {"`valve_3`", "1,250", "EUR", "2.5", "bar", "Osaka."} <= set(sent.split())
    assert (detail["compressor"], detail["squeezed"]) == ("llmlingua", 2)


@pytest.mark.parametrize("model", ["", "no-such-owner/no-such-model"])
async def test_without_a_model_requests_go_through(
    model: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that holds none, or a name that can't be had: said once, and the passage is sent whole, without tags."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    named = model or str(tmp_path)
    prompt = {"compressor": "llmlingua", "llmlingua_model": named}
    sent, _ = await _sent(prompt, f"You help.\n<squeeze ratio=0.5>{PART}</squeeze>\nBe brief.", "What is in hall 7?")
    assert sent == f"You help.\n{PART}\nBe brief."
    assert [
        r.getMessage() for r in caplog.records if f"prompt.llmlingua_model {named} can't be loaded" in r.getMessage()
    ]


async def _sent(prompt: dict[str, object], text: str, question: str) -> tuple[str, Detail]:
    """What becomes of a system prompt by settings, and what the prompt's stage says of it."""
    values = {"redis": {"url": "memory"}, "cache": {"enabled": False}, "time_budget_seconds": 60, "prompt": prompt}
    messages = [{"role": "system", "content": text}, {"role": "user", "content": question}]
    kwargs = {"model": "gpt-4o", "messages": messages}
    async with TokenOptimizer(values) as optimizer:
        outcome = await optimizer.before(kwargs)
        detail = next(step.verdict.detail for step in outcome.steps if step.stage == "prompt")
        return outcome.applied(kwargs)["messages"][0]["content"], detail
