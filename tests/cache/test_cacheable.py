"""What is never looked up, and what is never stored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from litellm_tokenopt.cache.cacheable import lookup_refusal, reply_refusal, seconds_kept
from litellm_tokenopt.cache.kinds import Kind, sure_kind, surely_stable, time_bound
from litellm_tokenopt.request import ChatRequest, Controls
from litellm_tokenopt.settings import CacheSettings


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("bypass", {"controls": Controls(bypass=True)}),
        ("mock", {"controls": Controls(mocked=True)}),
        ("server_state", {"options": {"previous_response_id": "resp_1"}}),
        ("server_state", {"options": {"conversation": {"id": "conv_1"}}}),
        ("server_state", {"options": {"prompt": {"id": "pmpt_1"}}}),
        ("no_question", {"messages": ({"role": "system", "content": "x"},)}),
        ("no_question", {"messages": ({"role": "user", "content": " \n"},)}),
        ("no_question", {"messages": ({"role": "user", "content": None},)}),
        ("several_answers", {"options": {"n": 2}}),
        ("creative", {"messages": ({"role": "user", "content": "Tell me a joke"},)}),
        ("random", {"messages": ({"role": "user", "content": "Roll two dice"},)}),
        ("personal", {"messages": ({"role": "user", "content": "Where is my order?"},)}),
        ("live_tool", {"tools": ({"type": "web_search"},)}),
        ("live_tool", {"options": {"web_search_options": {}}}),
        ("time_bound", {"messages": ({"role": "user", "content": "What's the weather in Oslo?"},)}),
        (None, {"options": {"n": 1}}),
        (None, {"options": {"n": None}}),
    ],
)
def test_lookup(reason: str | None, changes: dict[str, Any], make: SimpleNamespace) -> None:
    """Each kind of request that the cache has nothing to do with has its reason."""
    request: ChatRequest = make.request()
    assert lookup_refusal(request.with_(**changes), CacheSettings()) == reason


@pytest.mark.parametrize(
    "question",
    [
        "What day is it today?", "Who is the current president?", "What's the latest version?", "Bitcoin price now",
        "Any news on the merger?", "What's the exchange rate for euros?", "What happened last week?",
        "Is it open right now?", "Who won two days ago?", "Who is the mayor of Leeds?", "Who is Chelsea's coach?",
        "How much is a Nokia 3310?", "What is the price of a Vespa?", "How much is 40 pounds in yen?",
        "GBP to CHF rate",
        
        "Is Siemens hiring?", "Is the library open?", "Is Slack down?",
        "What's Shell trading at?", "What is TSLA at?", "How cold is it in Oslo?", "Is the 9.15 ferry on time?",
        "Do I need an umbrella in Hull?", "what's showing at the Ritz", "How old is Judi Dench?",
        "How many weeks until Easter?", "Who holds the long jump record?", "Has the senate voted on the bill?",
        "How old is the pope?", "What does a barrel of oil cost?", "How much is a litre of petrol?",
        "What's our churn rate?", "Who won the boat race?", "When is high tide?", "Who is the richest man in France?",
        "How cold is it outside?", "What's the weather like in Marseille?",
    ],
)  # fmt: skip
def test_time_bound(question: str) -> None:
    """Questions whose answer changes with time are known by their words."""
    assert time_bound(question)


@pytest.mark.parametrize(
    "question",
    [
        "How do I open a current account?", "How does electric current flow?", "Who won the 1998 cup?", "What is snow?",
        "What is the current ratio?", "Explain what a weather front is", "How do I print today's date in bash?",
        "Translate 'what is the weather today?' into French", "What's the weather like in Iceland in March?",
        "How much does express shipping cost?", "Who was the first mayor of Leeds?",
        "How hot is it on Venus?", "What's the weather like on Jupiter?", "How cold is it in the Arctic?",
        "Who won the first boat race?", "Who won the 1981 derby?", "What's today's date function in Sheets?",
        "How old is the universe?", "What moves oil prices?",
        "How many days are in 3 weeks?", "What does a litre of oil weigh?", "What is a barrel of oil?",
        "How much is an ounce of flour in grams?", "How old is the head of a newborn tapir?",
        "How is the cost of living measured?",
        "Is tap water safe?", "Who is the owner's guide for?",
        "What is the latest time I can check in?", "I lost my card yesterday, what now?",
        "What are today's best practices for logging?", "What is the latest age for a first visit to the dentist?",
        "How was the weather in the last ice age?", "What are the current guidelines for naming tables?",
    ],
)  # fmt: skip
def test_timeless(question: str) -> None:
    """Words that only look like time don't count."""
    assert not time_bound(question)


@pytest.mark.parametrize(
    ("question", "stable"),
    [
        ("What is 12 plus 30?", True), ("How many ounces are in 2 pounds?", True), ("What is RFC 793?", True),
        ("What does error 503 mean?", True), ("What is 20% off 80 dollars?", True), ("0.1 + 0.2", True),
        ("When did the Titanic sink?", True), ("How long does the tour take?", True),
        ("What is 30 dollars in euros?", False), ("how many yen are in 20 pounds", False),
        ("How long is the wait for the tour?", False), ("How many days are left until May?", False),
        ("When did my card expire?", False), ("How do I draw a random number in C?", True),
        ("Does it get cold in Rome in January?", True), ("Is there weather on the moon?", True),
        ("How could I name my boat?", False), ("Does lamp 19 come with a euro plug?", True),
        ("Does my plan include roaming?", False),
        ("How do I get to work today?", False), ("Is it cold in Rome?", False),
        ("What is IBM at?", False),
    ],
)  # fmt: skip
def test_surely_stable(question: str, stable: bool) -> None:
    """Sums, conversions, numbered things and durations stay as they are; money, and what is the user's own, doesn't."""
    assert surely_stable(question) is stable


@pytest.mark.parametrize(
    ("kind", "question"),
    [
        ("random", "Flip a coin for me"), ("random", "please pick a random number"), ("random", "Generate a UUID"),
        ("random", "Shuffle this list: a, b, c"), ("random", "Could you roll 3d6?"),
        ("creative", "Write me a short poem about rain"), ("creative", "tell me another joke"),
        ("creative", "Brainstorm names for a bakery"), ("creative", "haiku about winter"),
        ("personal", "Is my card blocked?"), ("personal", "How much did I spend on fuel this month?"),
        ("personal", "Where's my parcel?"), ("personal", "What did I just say?"),
        ("personal", "What's my account balance?"), ("personal", "What is the status of my claim?"),
        ("personal", "What was my score in the quiz?"), ("personal", "Am I still on the waiting list?"),
        ("personal", "Which of my orders was late?"),
        ("personal", "Do you remember my name?"), ("personal", "Summarise our conversation"),
        ("time_bound", "What's the price of gold today?"),
        ("creative", "Another one please"), ("creative", "Give me a different answer"), ("creative", "again"),
        ("creative", "more!"), ("creative", "Can you recommend a novel?"), ("creative", "Suggest a dinner menu"),
        ("personal", "Is my train delayed?"), ("time_bound", "Wie ist das Wetter heute in Kiel?"),
        ("time_bound", "Quelle heure est-il ?"), ("time_bound", "¿Qué tiempo hace en Lima?"),
        ("time_bound", "今日の天気は?"), ("time_bound", "现在几点?"), ("time_bound", "Какая сегодня погода?"),
        ("personal", "Wo ist mein Paket?"), ("personal", "Où est ma commande ?"), ("personal", "我的包裹在哪里?"),
        ("creative", "Schreib mir ein Gedicht über den Mond"), ("creative", "讲个笑话"),
        ("random", "Würfle einmal für mich"),
    ],
)  # fmt: skip
def test_certain_kinds(kind: Kind, question: str) -> None:
    """Words that leave no doubt name the kind."""
    assert sure_kind(question) == kind


@pytest.mark.parametrize(
    "question",
    [
        "How do I change my password?", "How can I check my balance?", "What does 'your order has shipped' mean?",
        "How does a random number generator work?", "Write a Python function that returns a random number",
        "What is a random forest?", "What is a haiku?", "Who wrote the poem 'If'?", "How do I tell a joke well?",
        "Translate 'where is my order?' into Spanish", "What's a good name for the variable holding a count?",
        "In Python, how do I shuffle a list?", "What happens if my order is late?", "My order is late. What can I do?",
    ],
)  # fmt: skip
def test_rules_leave_the_rest_alone(question: str) -> None:
    """What is asked about such things, or in quotes, is not such a request."""
    assert sure_kind(question) is None


def test_only_what_is_asked_counts() -> None:
    """The middle of a long text, and code, are what a question is about."""
    text = "Who signed this memo? " + "The staff met. " * 40 + "Roll a die today. " + "They left. " * 40
    assert sure_kind(text) is None
    assert sure_kind("Which bug is in ```weather_today()```?") is None


@pytest.mark.parametrize(
    ("kind", "seconds", "controls", "settings"),
    [
        ("stable", 86_400, {}, {}), ("stable", 5, {"ttl_seconds": 5.0}, {}), ("stable", 7, {}, {"stable": 7}),
        ("creative", 0, {}, {}), ("creative", 0, {"ttl_seconds": 5.0}, {}),
        ("creative", 5, {"ttl_seconds": 5.0, "use_cache": True}, {}), ("creative", 86_400, {"use_cache": True}, {}),
        ("creative", 60, {}, {"creative": 60}), ("creative", 60, {"ttl_seconds": 90.0}, {"creative": 60}),
        ("time_bound", 0, {}, {"creative": 60}), ("personal", 60, {}, {"personal": 60}),
    ],
)  # fmt: skip
def test_how_long_each_kind_is_kept(
    kind: Kind, seconds: float, controls: dict[str, Any], settings: dict[str, int]
) -> None:
    """By the settings; a caller may shorten that, and lengthen it by saying that the cache is to be used."""
    assert seconds_kept(kind, Controls(**controls), CacheSettings(ttl_by_class=settings)) == seconds  # type: ignore[arg-type]


def test_personal_answers_are_kept_for_their_own_caller_alone() -> None:
    """Where several callers share answers, nobody's affairs are among them."""
    settings = CacheSettings(share="team", ttl_by_class={"personal": 60})  # type: ignore[arg-type]
    assert seconds_kept("personal", Controls(), settings) == 0


@pytest.mark.parametrize(
    ("temperature", "allowed", "reason"),
    [(0.9, 0.5, "temperature"), (0.5, 0.5, None), (None, 0.5, "temperature"), (2, None, None), (None, 1.0, None)],
)
def test_temperature(
    temperature: float | None, allowed: float | None, reason: str | None, make: SimpleNamespace
) -> None:
    """Requests above the highest temperature pass by; one that names none has what providers take."""
    request: ChatRequest = make.request().with_(options={"temperature": temperature})
    assert lookup_refusal(request, CacheSettings(max_temperature=allowed)) == reason


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("tool_calls", {"has_tool_calls": True}), ("tool_calls", {"finish": "tool_calls", "has_tool_calls": True}),
        ("unfinished", {"finish": "length"}), ("filtered", {"finish": "content_filter"}),
        ("unfinished", {"finish": None}), (None, {}), (None, {"finish": "end_turn"}),
        ("empty", {"text": " "}), ("too_long", {"payload": {"text": "x" * 2000}}),
    ],
)  # fmt: skip
def test_reply(reason: str | None, changes: dict[str, Any], make: SimpleNamespace) -> None:
    """Only whole, plain answers of a fair size are stored."""
    assert reply_refusal(make.reply(**changes), 1000) == reason


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("refusal", "I'm sorry, but I can't help with that."), ("refusal", "I cannot assist with this request."),
        ("refusal", "Sorry, I\u2019m unable to provide medical advice."), ("refusal", "I must decline."),
        ("lacks_information", "I don't have access to your account."),
        ("lacks_information", "As an AI language model, I don't have real-time data."),
        ("lacks_information", "I'm unable to browse the internet."), ("lacks_information", "I don't know."),
        ("lacks_information", "I do not have any information about that order."),
        ("lacks_information", "My knowledge cutoff is 2023, so"),
        ("refusal", "Es tut mir leid, dabei kann ich nicht helfen."), ("refusal", "Désolé, je ne peux pas vous aider."),
        ("refusal", "Lo siento, no puedo responder a eso."), ("failed", "Internal error, please try again"),
        ("failed", "Something went wrong."), ("asks_back", "Could you clarify which plan you mean?"),
        (None, "Der Pass gilt zehn Jahre."), (None, "An internal error is one that your own code raises. " * 7),
        (None, "Open Settings and choose Delete. Anything else?"),
        (None, "You can't delete it once it's sent."), (None, "I'm sorry to hear that. Ask your bank for a new card."),
        (None, "If you don't have access to the account, reset the password."),
        (None, "Yes, we can help: open Settings."), (None, "A monad is a type with two operations."),
        (None, "Paris. " * 80 + "I cannot help with more."),
    ],
)  # fmt: skip
def test_refusals(reason: str | None, text: str, make: SimpleNamespace) -> None:
    """A reply that refuses, or says what its writer lacks, is no answer for the next who asks."""
    assert reply_refusal(make.reply(text), 10_000) == reason
