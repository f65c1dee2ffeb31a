"""Questions typed a little differently: what users do to a question without changing what they ask.

Applied to both sides of pairs, alike or not, so that a slip or a greeting tells the model nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

GREETINGS = (
    "hi, |hello, |hey |er |um, |so |please, |quick question: |just wondering, |ok so |Hi there! |Good morning, "
    "|i'd like to know: |sorry, |can you help? |Hello! "
).split("|")
ENDINGS = " please| thanks| pls| thank you|??| plz|!| cheers| Thanks in advance.| asap".split("|")
OPENINGS = [
    line.split("|")
    for line in (
        "how do i |how can i |how to |what's the way to |what is the way to |what are the steps to |how would i "
        "|how do you |what do i need to do to |what's the best way to |tell me how to |how might i ",
        "what is |what's |whats |tell me what is |please tell me what's ",
        "can i |may i |am i able to |is it possible to |is it possible for me to ",
        "why is |how come |what is the reason that ",
        "do i need to |must i |do i have to |is it necessary to ",
        "write |please write |could you write |can you write me ",
        "who is |who's ",
        "where can i |where do i |where could i ",
        "when is |when's ",
        "explain |please explain |can you explain |could you explain ",
        "give me |could you give me |please give me ",
        "what are |what're |tell me what are ",
        "should i |would it be wise to |ought i to ",
    )
]
CONTRACTIONS = [
    tuple(pair.split("/"))
    for pair in (
        "do not/don't|does not/doesn't|is not/isn't|cannot/can't|i am/i'm|i have/i've|it is/it's|i would/i'd"
        "|will not/won't|did not/didn't|are not/aren't|i will/i'll|we are/we're|they are/they're|there is/there's"
    ).split("|")
]
SYNONYMS = [
    tuple(pair.split("/"))
    for pair in (
        "colour/color|organise/organize|cancelled/canceled|holiday/vacation|mobile/cell phone|buy/purchase"
        "|get rid of/remove|big/large|begin/start|finish/end|fix/repair|quick/fast|show/display|choose/select"
        "|need/require|ask for/request|phone/telephone|photo/picture|error/fault|many/a lot of|often/frequently"
        "|allowed/permitted|kids/children|film/movie|flat/apartment|car/automobile|doctor/physician"
        "|fridge/refrigerator|tv/television|email/e-mail|sign in/log in|guarantee/warranty|price/cost|company/firm"
        "|shop/store|rubbish/trash|parcel/package|trip/journey|set up/configure|turn on/switch on|turn off/switch off"
        "|find out/determine|make/create|build/construct|use/utilise|explain/describe|tell me/let me know"
        "|amount/quantity|illness/disease|lawyer/attorney|bill/invoice|one/1|two/2|three/3|four/4|five/5|ten/10"
        "|twelve/12|and/&|without/w/o|about/regarding|person/individual|answer/reply|correct/right|wrong/incorrect"
        "|difficult/hard|easy/simple"
    ).split("|")
]
_FRONTED = re.compile(
    r"^([A-Z][^,.?!]{8,}?) ((?:in|on|at|for|when|if|after|before|during|with|from|as|under) [^,.?!]+)\?$"
)
Change = Callable[[str, random.Random], str]


def reword(text: str, chance: random.Random) -> str:
    """*text* after one to three of the changes, some of which may find nothing to do."""
    for change in chance.sample(CHANGES, chance.choice((1, 1, 2, 2, 3))):
        text = change(text, chance)
    return text


def slip(text: str, chance: random.Random) -> str:
    """Two letters swapped, one left out or one doubled, inside a longer word."""
    words = text.split(" ")
    places = [i for i, word in enumerate(words) if len(word) >= 5 and word.isalpha() and word.islower()]
    if not places:
        return text
    at = chance.choice(places)
    word, i = words[at], chance.randrange(1, len(words[at]) - 2)
    swapped = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    words[at] = chance.choice((swapped, swapped, word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:]))
    return " ".join(words)


def open_otherwise(text: str, chance: random.Random) -> str:
    """Another way to begin the same question."""
    for group in OPENINGS:
        for opening in group:
            if text.lower().startswith(opening):
                other = chance.choice([o for o in group if o != opening])
                return (other[0].upper() + other[1:] if text[0].isupper() else other) + text[len(opening) :]
    return text


def contract(text: str, chance: random.Random) -> str:
    return _replaced(text, CONTRACTIONS, chance)


def substitute(text: str, chance: random.Random) -> str:
    """One word by its synonym, spelling or number."""
    return _replaced(text, SYNONYMS, chance)


def front(text: str, _chance: random.Random) -> str:
    """Why … in the shower? - In the shower, why …?"""
    match = _FRONTED.match(text)
    if not match or len(match[2].split()) > 7:
        return text
    return f"{match[2][0].upper()}{match[2][1:]}, {_small(match[1])}?"


def strip_marks(text: str, chance: random.Random) -> str:
    bare = text.rstrip("?.!")
    return bare.lower() if chance.random() < 0.6 else bare


def drop_articles(text: str, chance: random.Random) -> str:
    return re.sub(r"\b(the|a|an) ", "", text, count=chance.choice((1, 2)))


def greet(text: str, chance: random.Random) -> str:
    return chance.choice(GREETINGS) + _small(text)


def thank(text: str, chance: random.Random) -> str:
    return text + chance.choice(ENDINGS)


CHANGES: tuple[Change, ...] = (
    slip, open_otherwise, contract, substitute, front, strip_marks, drop_articles, greet, thank,
)  # fmt: skip


def _replaced(text: str, pairs: list[tuple[str, ...]], chance: random.Random) -> str:
    for pair in chance.sample(pairs, len(pairs)):
        for old, new in ((pair[0], pair[-1]), (pair[-1], pair[0])):
            match = re.search(rf"(?<!\w){re.escape(old)}(?!\w)", text, re.IGNORECASE)
            if match:
                return text[: match.start()] + new + text[match.end() :]
    return text


def _small(text: str) -> str:
    return text if text.startswith(("I ", "I'")) else text[:1].lower() + text[1:]
