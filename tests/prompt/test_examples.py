"""Of each kind of example in a section the first few stay whole, by level; what is no example stays."""

from __future__ import annotations

import pytest

from litellm_tokenopt.prompt.examples import FIRST
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.prompt.rendering import render
from litellm_tokenopt.settings import PromptLevel

LEVELS: list[PromptLevel] = ["light", "normal", "strong"]
KINDS = [
    "Example {n}: guest {n} asks, so you look it up.",
    "**Example {n}**\n\nUser: I am guest {n}.\n\nAssistant: Hall {n}.\n\nUser: Thanks {n}.",
    "Example {n}:\n- guest {n} asks\n- you say {n}",
    'Example {n}:\n\n```json\n{{"guest": {n}}}\n```',
    "Input: guest {n}\n\nOutput: hall {n}",
    "<example>\nUser: I am guest {n}.\nAssistant: Hall {n}.\n</example>",
    "For example, guest {n} is in hall {n}.",
    "Beispiel {n}: Gast {n} ist in Halle {n}.",
    "例{n}\uff1aお客様{n}",
    "### Example {n}\n\nUser: I am guest {n}.\n\nAssistant: Hall {n}.",
]


def left(text: str, level: PromptLevel) -> str:
    """What is sent where all but surplus examples is."""
    found = outline([text], level)
    return render(found, found.once(found.surplus))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_few_stay_whole(kind: str, level: PromptLevel) -> None:
    """What belongs to an example goes or stays with it, and nothing else goes."""
    examples = [kind.format(n=n) for n in range(11, 17)]
    sent = left("# Guests\n\nBe kind.\n\n" + "\n\n".join(examples) + "\n\n## Then\n\nGo on.\n", level).split()
    for n in range(11, 17):
        assert any(str(n) in word for word in sent) == (n - 11 < FIRST[level])
    for example in examples[: FIRST[level]]:
        assert " ".join(example.replace("**", "").split()) in " ".join(sent).replace("**", "")
    assert {"kind.", "on."} <= set(sent)


def test_lists_and_dialogues_of_examples() -> None:
    """Items under "Examples:" are examples, so are dialogues under such a heading; good and bad ones are two kinds."""
    items = "".join(f"- guest {n}\n" for n in range(5))
    assert left(f"# Guests\n\nExamples:\n{items}", "normal").count("guest") == 3
    assert left(f"# Guests\n\nAsk all of:\n{items}", "normal").count("guest") == 5
    assert left(f"# Examples\n\n{items}", "normal").count("guest") == 3
    assert left(f"# Examples\n\n{items}- Never say guest 7.\n", "strong").count("guest") == 2
    assert left(f"# Sample collection\n\n{items}", "strong").count("guest") == 5
    asked = "".join(f"- Q: who is {n}?\n- A: guest {n}\n" for n in range(5))
    assert left(f"# Few-shot examples\n\n{asked}", "normal").count("guest") == 3
    lines = "".join(f"Example: guest {n}\n" for n in range(5))
    assert left(f"# Guests\n\nBe kind.\n\n{lines}", "normal").count("guest") == 3
    pairs = "".join(f"Input: guest {n}\nOutput: hall {n}\n" for n in range(5))
    assert left(f"# Guests\n\nBe kind.\n\n{pairs}", "strong").split().count("hall") == 1
    talks = "\n\n".join(f"User: I am guest {n}.\n\nAssistant: Hall {n}." for n in range(5))
    assert left(f"# Few-shot examples\n\n{talks}\n", "normal").count("Hall") == 3
    assert left(f"# Answers\n\n{talks}\n", "normal").count("Hall") == 5
    pairs = "\n\n".join(f"Good example: hall {n}.\n\nBad example: gate {n}." for n in range(5))
    sent = left(f"# Guests\n\n{pairs}\n", "strong")
    assert (sent.count("Good"), sent.count("Bad")) == (1, 1)


def test_questions_with_answers_are_no_examples() -> None:
    """They are what the model is to know; so are parts called "Examples" of different headings."""
    text = "# FAQ\n\n" + "\n\n".join(f"Q: Where is hall {n}?\n\nA: In house {n}." for n in range(6)) + "\n"
    text += "".join(f"\n## Part {n}\n\nDo it.\n\n## Examples\n\nHouse {n} is one.\n" for n in range(10, 16))
    assert left(text, "strong").count("ouse") == 12
