"""Thanks, greetings, praise and farewells."""

from __future__ import annotations

import pytest

from litellm_tokenopt.tools.courtesy import is_courtesy

COURTESIES = (
    "Thanks, that was great!", "thank you so much 🙏", "Perfect, thank you very much.", "Hello!", "Hi, how are you?",
    "Good morning everyone", "No, that\u2019s everything, bye", "haha nice one", "See you tomorrow!", "Merci beaucoup",
    "Danke, das war super", "muchas gracias", "谢谢", "ありがとうございます",
)  # fmt: skip

REQUESTS = (
    "", "ok", "yes please", "go on", "Thanks! Now send it to Anna", "Great, deploy it", "thanks, and order 4711?",
    "Is it good?", "Hello, where is my parcel?", "Perfect, the same for Berlin", "你好帮我查一下明天北京到上海的航班",
    "Tell Tom thanks for the help and that I'll be there at nine, then put the meeting into my calendar for all of us",
)  # fmt: skip


@pytest.mark.parametrize("text", COURTESIES)
def test_courtesies_are_told(text: str) -> None:
    """In the commonest languages, with emojis and without."""
    assert is_courtesy(text)


@pytest.mark.parametrize("text", REQUESTS)
def test_what_asks_for_something_is_none(text: str) -> None:
    """However politely it begins; assent may mean that something is to be done."""
    assert not is_courtesy(text)
