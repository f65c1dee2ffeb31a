"""Which kinds of tasks texts are about."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from litellm_tokenopt.cli import main
from litellm_tokenopt.errors import ModelUnavailable, SettingsError
from litellm_tokenopt.models.base import Embedder
from litellm_tokenopt.models.build import build_embedder
from litellm_tokenopt.models.intents import LIKELY, IntentModel, steps_of
from litellm_tokenopt.models.training.intent_report import calibration_error, interval, told_of
from litellm_tokenopt.models.training.intent_texts import BLIND, HELDOUT, read_phrases, read_written, training_texts
from litellm_tokenopt.settings import EmbedderSettings, load_settings
from litellm_tokenopt.taxonomy import PACKAGED, read_taxonomy

CONFIG = Path(__file__).parents[2] / "config" / "intents.yaml"

NEVER_TRAINED_ON = {
    "file_ops": ["Put the quarterly letter into the folder called Outbox", "which of the logs in /srv is largest?"],
    "web_search": ["Who was elected mayor of Turin yesterday?", "Look online for reviews of cargo bikes"],
    "browser": ["Press the blue button on the site and wait for the popup", "Sign in to the webshop and grab the page"],
    "code_execution": ["run `make check` and show me stderr", "execute my perl script in a sandbox"],
    "code_analysis": ["Why does this method throw on an empty list?", "what did the last five commits to main change"],
    "data_analysis": ["plot rainfall against yield and fit a line", "what's the standard error of these readings?"],
    "database": ["drop the unused index on the shipments table", "SELECT the ten newest rows from visits"],
    "communication": ["Write to Ines by email that we accept", "tell the guests by text message the gate code"],
    "calendar_scheduling": ["Can you move Thursday's dentist appointment to five?", "wake me at 6 with an alarm"],
    "documents": ["shorten the attached memo to one page", "turn the docx into a pdf"],
    "images_design": ["paint a whale above a city", "make the photo of our van brighter"],
    "knowledge_base": ["what's in the staff handbook on overtime", "note down for later that Kim is vegan"],
    "deployment_infra": ["the pods of billing keep restarting, get their logs", "ship release 9 to staging"],
    "finance_commerce": ["refund the second item of the order", "how did shares of Nokia close?"],
    "travel_maps_weather": ["a night train from Graz to Hamburg", "is it windy in Cadiz right now"],
    "conversation": ["good evening, how was your day?", "why do cats purr?"],
    "agent_config": ["let my assistant start each morning at 7", "connect the bot to our Jira integration"],
}


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return build_embedder(EmbedderSettings())


def own_file(folder: Path, categories: dict[str, Any]) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"categories": categories}))
    return path


async def test_requests_find_their_category(embedder: Embedder) -> None:
    """Of requests that no classifier saw, seven in eight at least are told right, and the sure ones nearly all."""
    asked = [(text, name) for name, texts in NEVER_TRAINED_ON.items() for text in texts]
    found = await IntentModel(embedder, read_taxonomy()).classify([text for text, _ in asked])
    right = [intent.category == name for intent, (_, name) in zip(found, asked, strict=True)]
    assert sum(right) >= 0.875 * len(right)
    sure = [ok for ok, intent in zip(right, found, strict=True) if intent.confidence >= 0.7]
    assert len(sure) >= len(right) / 2
    assert sum(sure) >= 0.94 * len(sure)


async def test_held_out_queries_find_their_category(embedder: Embedder) -> None:
    """Of the queries that are kept from the training, 85 % are told right, and confidence says how often."""
    texts, model = read_written(HELDOUT), IntentModel(embedder, read_taxonomy())
    told = told_of(texts, model.names, await model.probabilities([text.text for text in texts]))
    assert told.right.mean() >= 0.85
    assert min(told.right[told.first == name].mean() for name in model.names) >= 0.6
    assert calibration_error(told.confidence, told.right) < 0.08
    assert told.right[told.confidence >= 0.7].mean() >= 0.93


@pytest.mark.parametrize("path", [HELDOUT, BLIND])
def test_the_held_out_queries_are_whole(path: Path) -> None:
    """There are enough of every category, and none of them or of their families is trained on."""
    held, trained = read_written(path), training_texts()
    assert len(held) == len({text.text for text in held}) >= 290
    assert all(sum(name in text.intents for text in held) >= 14 for name in read_taxonomy().categories)
    assert not {text.text.lower() for text in held} & {text.text.lower() for text in trained}
    assert not {text.family for text in held} & {text.family for text in trained}


def test_the_report_counts_right() -> None:
    """A share's interval holds it and narrows with more texts; sure and wrong is a calibration error of one."""
    assert interval(0, 0) == (0.0, 1.0)
    low, high = interval(17, 20)
    assert low < 0.85 < high
    assert interval(1700, 2000)[0] > low
    assert calibration_error(np.array([1.0, 1.0]), np.array([False, False])) == 1.0
    assert calibration_error(np.full(4, 0.75), np.array([True, True, True, False])) == 0.0


async def test_queries_from_other_domains_find_their_category(embedder: Embedder) -> None:
    """So it is for domains that no training text is of, for two things at once, and for what tells nothing."""
    texts, model = read_written(BLIND), IntentModel(embedder, read_taxonomy())
    told = told_of(texts, model.names, await model.probabilities([text.text for text in texts]))
    foreign = np.array([text.family == "asked/foreign" for text in texts])
    counts = told.labels.sum(axis=1)
    assert told.right[(counts > 0) & ~foreign].mean() >= 0.87
    assert told.right[told.confidence >= 0.7].mean() >= 0.93
    assert told.all_likely[counts == 2].mean() >= 0.65
    assert (told.confidence[counts == 0] < 0.5).mean() >= 0.5


async def test_a_text_may_be_of_several_categories(embedder: Embedder) -> None:
    """Of held-out requests for two things, three in four show both, as the likeliest and as likely ones."""
    asked = [text for text in read_written(HELDOUT) if len(text.intents) == 2]
    assert len(asked) >= 12
    found = await IntentModel(embedder, read_taxonomy()).classify([text.text for text in asked])
    tops = [set(sorted(intent.all, key=lambda name: -intent.all[name])[:2]) for intent in found]
    both = [top == set(text.intents) for top, text in zip(tops, asked, strict=True)]
    likely = [
        all(intent.all[name] >= LIKELY for name in text.intents) for text, intent in zip(asked, found, strict=True)
    ]
    assert min(sum(both), sum(likely)) >= 0.75 * len(asked)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Fix the test, then deploy it to staging", ["Fix the test", "deploy it to staging"]),
        ("What's the rate today? Also tell Ann about it.", ["What's the rate today?", "Also tell Ann about it."]),
        ("buy bread and butter", []),
        ("read notes.txt", []),
    ],
)
def test_steps_of_a_request(text: str, steps: list[str]) -> None:
    """Sentences and clauses are steps, things in a list aren't; one step is none."""
    assert steps_of(text) == steps


async def test_both_parts_of_a_request_are_told(embedder: Embedder) -> None:
    """A request for two things shows both, and nothing else as likely."""
    asked = "Find a hotel in Ghent for two nights, and send Paul an email with its address"
    (found,) = await IntentModel(embedder, read_taxonomy()).classify([asked])
    assert set(sorted(found.all, key=lambda name: -found.all[name])[:2]) == {"travel_maps_weather", "communication"}


async def test_what_is_about_nothing_is_not_confident(embedder: Embedder) -> None:
    """Noise gets no sure category, unless it's taken for talk."""
    found = await IntentModel(embedder, read_taxonomy()).classify(["qwzx plorf", "", "0000"])
    assert all(chance < 0.6 for intent in found for name, chance in intent.all.items() if name != "conversation")


async def test_a_category_of_ones_own_works_by_its_examples(embedder: Embedder, tmp_path: Path) -> None:
    """Added to the others, it is found without training, and takes nothing from them."""
    packaged = yaml.safe_load(PACKAGED.read_text())["categories"]
    mine = {
        "description": "Look after the animals of the zoo: feeding, health, enclosures",
        "examples": ["Feed the penguins", "The giraffe has a cough, book the vet", "Clean the cage of the monkeys"],
    }
    model = IntentModel(embedder, read_taxonomy(own_file(tmp_path, {**packaged, "zoo": mine})))
    assert model.names[-1] == "zoo"
    found = await model.classify(["feed the seals", "The monkey is ill", "deploy the app", "Convert it to a PDF"])
    assert [intent.category for intent in found[:2]] == ["zoo", "zoo"]
    assert all(intent.all["zoo"] < 0.3 for intent in found[2:])


async def test_an_example_added_to_a_category_counts(embedder: Embedder, tmp_path: Path) -> None:
    """What the classifier gets wrong, a line in the file puts right."""
    packaged = yaml.safe_load(PACKAGED.read_text())["categories"]
    text = "Set the blinds of the observatory to half"
    (before,) = await IntentModel(embedder, read_taxonomy()).classify([text])
    packaged["deployment_infra"]["examples"].append("Set the blinds of the dome to a third")
    (after,) = await IntentModel(embedder, read_taxonomy(own_file(tmp_path, packaged))).classify([text])
    assert before.all["deployment_infra"] < 0.5 < after.all["deployment_infra"]


def test_the_file_in_config_is_the_packaged_one() -> None:
    """What users copy is what is used."""
    assert CONFIG.read_bytes() == PACKAGED.read_bytes()
    kinds = read_taxonomy(CONFIG).categories
    assert [name for name, kind in kinds.items() if not kind.tools] == ["conversation"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("categories: {}", "categories"),
        ("categories: {zoo: {examples: [a]}}", "categories.zoo.description: field required"),
        ("categories: {zoo: {description: a, colour: red}}", "categories.zoo.colour"),
        ("categories: [", "not YAML"),
        ("", "the file"),
    ],
)
def test_a_wrong_file_stops_the_start(tmp_path: Path, text: str, fault: str) -> None:
    """The setting, the file and the place in it are named."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings({"tools": {"intents": str(path)}})
    assert "tools.intents" in str(error.value)
    assert str(path) in str(error.value)
    assert fault in str(error.value)


async def test_another_embedder_has_no_classifiers(tmp_path: Path) -> None:
    """Weights learnt on one model's vectors mean nothing on another's."""

    class Other:
        name, dimensions = "other", 384

        async def embed(self, texts: Any) -> Any:
            raise AssertionError("asked although it can't be used")

    with pytest.raises(ModelUnavailable, match=r"intents\.npz was trained on"):
        await IntentModel(Other(), read_taxonomy()).classify(["a"])


def test_classify_prints_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One object for a text; an object a line for the lines of standard input, in their order."""
    assert main(["classify", "book a flight to Rome"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["category"] == "travel_maps_weather"
    assert row["confidence"] == max(row["all"].values()) == row["all"][row["category"]]
    assert list(row["all"]) == list(read_taxonomy().categories)
    monkeypatch.setattr("sys.stdin", io.StringIO("hello!\n\n" + "refund my order\n" * 70))
    assert main(["classify", "-"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 72
    assert [rows[0]["category"], rows[2]["category"], rows[71]["category"]] == [
        "conversation", "finance_commerce", "finance_commerce",
    ]  # fmt: skip


def test_classify_reads_anything(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty and very long lines, other scripts and bytes that are no text get an object each; none stops the rest."""
    lines = ["", "find a hotel " * 50_000, "今天天气怎么样", "\x00\x07", "send Ann an email"]
    typed = "\n".join(lines).encode() + b"\n\xff\xfe\xc3\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed), encoding="ascii"))
    assert main(["classify", "-"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == len(lines) + 1
    assert all(set(row) == {"category", "confidence", "all"} for row in rows)
    assert [rows[1]["category"], rows[4]["category"]] == ["travel_maps_weather", "communication"]
    assert main(["classify", "caf\udce9"]) == 0


def test_the_training_texts_are_whole() -> None:
    """Every category has many texts, known ones alone, and none of this file's requests is among them."""
    names = set(read_taxonomy().categories)
    texts = training_texts()
    assert {intent for text in texts for intent in text.intents} == names
    assert all(sum(name in text.intents for text in texts) >= 300 for name in names)
    assert set(read_phrases().phrases) == names
    assert len({text.text for text in texts}) == len(texts)
    known = {text.text.lower() for text in texts}
    assert not known & {text.lower() for asked in NEVER_TRAINED_ON.values() for text in asked}
    assert training_texts() == texts
    assert len(read_written()) >= 5_000
