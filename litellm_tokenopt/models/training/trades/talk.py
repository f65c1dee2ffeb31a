"""A conversation that is being written, and the words that all trades use."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]

FIRST = (
    "Ana Ben Chloe Dmitri Elif Farid Greta Hugo Ines Jonas Keiko Liam Mara Nils Olga Pavel Rosa Samir Tessa Umar"
).split()
LAST = (
    "Alvarez Berg Castro Dahl Evans Fischer Gupta Haas Ito Jensen Kowal Lind Moreau Novak Okoye Petrov Quinn Rossi"
).split()
THINGS = (
    "kettle,desk lamp,office chair,rain jacket,hiking boots,headphones,espresso machine,backpack,monitor stand,"
    "mechanical keyboard,tent,bicycle pump,water bottle,air purifier,yoga mat,phone case,camera bag,sleeping bag"
).split(",")
CITIES = "Lyon Porto Gdansk Leeds Turin Bergen Malmo Ghent Graz Cork Split Tartu".split()
NOUNS = (
    "invoice,shipment,ledger,session,token,cart,coupon,payment,profile,report,webhook,export,upload,search,inventory,"
    "pricing,quota,scheduler,mailer,archive"
).split(",")
FILLER = (
    "Let me look into that.|One moment please.|I'll check this now.|Okay, looking at the next one.|Let me verify the "
    "details first.|Sure, happy to help with that.|Thanks for the information.|Let me see what we have."
).split("|")
THANKS = (
    "Great, thanks.|Perfect, that helps a lot.|Okay, good.|Thank you!|Alright, sounds fine.|Hm, okay.|Got it.|Super."
).split("|")


class Talk:
    """A conversation that is being written."""

    def __init__(self, chance: random.Random, system: str) -> None:
        self.chance = chance
        self.messages: list[Body] = [{"role": "system", "content": system}]

    def user(self, text: str) -> None:
        self.messages.append({"role": "user", "content": text})

    def say(self, text: str) -> None:
        self.messages.append({"role": "assistant", "content": text})

    def call(self, name: str, arguments: Body, result: str, said: str | None = None) -> None:
        """One call of a tool, with its result."""
        self.calls([(name, arguments, result)], said)

    def calls(self, made: Sequence[tuple[str, Body, str]], said: str | None = None) -> None:
        """Parallel calls, with their results."""
        ids = [f"call_{self.chance.randrange(16**8):08x}" for _ in made]
        calls = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for id_, (name, arguments, _) in zip(ids, made, strict=True)
        ]
        if said is None and self.chance.random() < 0.25:
            said = self.one(FILLER)
        self.messages.append({"role": "assistant", "content": said, "tool_calls": calls})
        for id_, (_, _, result) in zip(ids, made, strict=True):
            self.messages.append({"role": "tool", "tool_call_id": id_, "content": result})

    def one(self, of: Sequence[Any]) -> Any:
        return self.chance.choice(of)

    def some(self, of: Sequence[Any], least: int, most: int) -> list[Any]:
        return self.chance.sample(list(of), min(len(of), self.chance.randint(least, most)))

    def code(self, prefix: str, digits: int = 6) -> str:
        return f"{prefix}{self.chance.randrange(10 ** (digits - 1), 10**digits)}"

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share


def rows(items: Sequence[Body], chance: random.Random) -> str:
    return json.dumps(items, indent=2) if chance.random() < 0.3 else json.dumps(items)
