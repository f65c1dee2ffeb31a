"""Finished agent conversations in invented worlds: ``python -m litellm_tokenopt.models.training.wanderings FILE``.

Words, ids and tools are made up anew for each conversation, and so is how the agent works: how many questions there
are, how much a look-up brings, how far back it goes for what it uses, how much it says, how often it errs. What tells
that a message will be used can thus not be learnt from one trade's habits. Some agents call tools; some write what
they do as text, and read what came of it as the user's; some only talk.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .trades.talk import FILLER, THANKS, Body, Talk

SYLLABLES = (
    "ba be bo da de dri fa fe flo ga gra ha hel in ka ke kor la len lo ma mer mi na nel no or pa per pol qua ra ren ri "
    "sa sel sko ta ten tor ul va ver vin wo yar za zen"
).split()
ENDS = "d l m n r s t x k nd rk st ".split(" ")
VERBS = "search find list query lookup browse fetch".split()
READS = "get read open view show describe".split()
ACTS = "update create send book assign write edit cancel submit run".split()
SENTENCES = (
    "The {a} of {b} was {n} when {c} changed.|{b} and {c} belong to the {a}.|No {a} without {b}, says {c}.|"
    "In {c} the {a} had {n} of {b}.|Each {b} needs a {a} from {c}, about {n} in all.|{a} is known for its {b} and {c}.|"
    "After the {a}, the {b} went on with {c}.|See {i} for the {a}.|The {b} with {i} has a new {a}."
).split("|")
OPENERS = (
    "Could you find out about the {a} and its {b}?|I need the {a} of {b}.|What about {i}?|Please change the {a} for "
    "{b}.|Now do the same with {i}.|Which {a} has the most {b}?|And the {c}, is it {a}?|Compare {a} with {b}, please.|"
    "Earlier you found a {a} with {b}. Use that one.|Can you check the {b} again?"
).split("|")
THOUGHTS = (
    "I should look at the {a} next.|The {a} seems to depend on {b}.|{i} looks right; let me go on with it.|"
    "That did not help, so I try the {b} instead.|So the {a} is {b}, as {c} says.|Next I check {i}.|"
    "The {c} with {b} is what was asked for."
).split("|")
FAULTS = (
    "Error: nothing found for this query|Error: unknown argument|404 Not Found|Timed out after 30 s|Permission denied|"
    "No results.|[]|Traceback (most recent call last):\nValueError: invalid value"
).split("|")
SHORT = '{"status": "ok"}|Done.|OK|success|true|Saved.|{"result": true}|1 row changed|(no output)'.split("|")


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """What an agent comes across: an id, numbers, and words of its own."""

    id: str
    values: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(slots=True)
class _World:
    """One conversation's words, ids and habits."""

    chance: random.Random
    talk: Talk
    words: list[str] = field(default_factory=list)
    topics: list[list[str]] = field(default_factory=list)
    seen: list[Thing] = field(default_factory=list)
    made: list[tuple[str, Body, str]] = field(default_factory=list)
    habits: dict[str, float] = field(default_factory=dict)

    def does(self, habit: str) -> bool:
        return self.chance.random() < self.habits[habit]

    def word(self) -> str:
        return "".join(self.chance.choices(SYLLABLES, k=self.chance.choice((2, 2, 3, 3, 4)))) + self.chance.choice(ENDS)

    def thing(self, topic: Sequence[str]) -> Thing:
        own = [self.word() for _ in range(self.chance.randint(0, 4))]
        words = (*own, *self.chance.sample(list(topic), self.chance.randint(2, 6)))
        return Thing(self.code(), tuple(self.value() for _ in range(self.chance.randint(0, 5))), words)

    def code(self) -> str:
        """An id of this world's kind."""
        number, a, b = self.chance.randrange(10_000), self.word(), self.word()
        form = self.chance.choice(self.forms)
        return form.format(n=number, a=a, b=b, A=a.title(), B=b.title(), h=f"{self.chance.randrange(16**7):07x}")

    @property
    def forms(self) -> list[str]:
        at = int(self.habits["form"] * len(FORMS))
        return [FORMS[at], FORMS[at], FORMS[(at + 1) % len(FORMS)]]

    def value(self) -> str:
        return self.chance.choice((
            str(self.chance.randint(2, 99)), f"{self.chance.uniform(1, 900):.2f}",
            str(self.chance.randint(100, 99_999)),
            f"20{self.chance.randint(10, 29)}-{self.chance.randint(1, 12):02d}-{self.chance.randint(1, 28):02d}",
            self.chance.choice(("active", "open", "closed", "true", "none", "high")),
        ))  # fmt: skip

    def earlier(self) -> Thing | None:
        """A thing that was seen, mostly a late one; how mostly is a habit."""
        if not self.seen:
            return None
        back = int(self.chance.expovariate(1 / self.habits["reach"]))
        return self.seen[max(0, len(self.seen) - 1 - back)] if back < len(self.seen) else self.chance.choice(self.seen)

    def fill(self, form: str, topic: Sequence[str], thing: Thing | None) -> str:
        words = [*(thing.words if thing else ()), *topic]
        at = min(len(words), 4 + (len(thing.words) if thing else 0))
        id_ = thing.id if thing else self.chance.choice(topic)
        a, b, c = (self.said(words[:at]) for _ in range(3))
        return form.format(a=a, b=b, c=c, n=self.value(), i=id_)

    def said(self, words: Sequence[str]) -> str:
        """One of *words*, a word of this world, or one that is never said again."""
        if self.does("noise"):
            return self.word()
        return self.chance.choice(words if self.chance.random() < 0.7 else self.words)

    def text(self, topic: Sequence[str], things: Sequence[Thing], sentences: int) -> str:
        return " ".join(
            self.fill(self.chance.choice(SENTENCES), topic, self.chance.choice(things) if things else None)
            for _ in range(sentences)
        )


FORMS = (
    "{n}", "{A}-{n}", "{a}_{n}", "{a}/{b}.py", "https://{a}.example/{b}/{n}", "{A}{B}", "{h}", "{a}.{b}", "{a}_{b}",
    "#{n}", "src/{a}/{b}_{n}.ts", "{A}{n}", "{n}:{a}", "{a}@{b}.example",
)  # fmt: skip


def _world(chance: random.Random) -> _World:
    system = chance.choice(("You are a helpful agent.", "You have tools. Think, then act.", "Answer with the tools."))
    world = _World(chance, Talk(chance, system))
    world.habits = {
        "form": chance.random() * 0.999, "reach": chance.choice((1.5, 3, 6, 15, 40)), "errs": chance.uniform(0, 0.25),
        "thinks": chance.choice((0.05, 0.3, 0.6, 0.95)), "quotes": chance.uniform(0.1, 0.9),
        "parallel": chance.choice((0, 0, 0.1, 0.4)), "again": chance.uniform(0, 0.15), "act": chance.uniform(0.1, 0.5),
        "search": chance.uniform(0.15, 0.6), "size": chance.uniform(0, 1), "json": chance.uniform(0, 1),
        "back": chance.uniform(0.1, 0.6), "noise": chance.choice((0, 0.2, 0.5, 0.8, 0.95)),
        "thanks": chance.uniform(0, 0.6), "fresh": chance.uniform(0, 0.5),
    }  # fmt: skip
    world.words = [world.word() for _ in range(120)]
    world.topics = [
        [world.word() for _ in range(chance.randint(4, 12))] + chance.sample(world.words, 8)
        for _ in range(chance.randint(2, 7))
    ]
    return world


def _shown(world: _World, things: Sequence[Thing], topic: Sequence[str]) -> str:
    """What a tool says of *things*."""
    if world.does("json"):
        rows = [{"id": t.id, "name": " ".join(t.words[:2]).title(), **_values(world, t)} for t in things]
        return json.dumps(rows if len(rows) > 1 else rows[0] if rows else [], indent=world.chance.choice((None, 1)))
    return "\n".join(f"{t.id}  {' '.join(t.words[:3])}  {' '.join(t.values)}" for t in things) or "No results."


def _values(world: _World, thing: Thing) -> Body:
    return {f"{'field' if world.habits['form'] > 0.5 else 'p'}{n}": value for n, value in enumerate(thing.values)}


def _search(world: _World, topic: Sequence[str]) -> tuple[str, Body, str]:
    about = world.chance.sample(list(topic), world.chance.randint(1, 3))
    old = [t for t in {id(t): t for t in (world.earlier(), world.earlier()) if t}.values() if world.does("again")]
    found = [*old, *(world.thing(topic) for _ in range(world.chance.randint(1, 2 + int(12 * world.habits["size"]))))]
    world.seen += [thing for thing in found if thing not in old]
    return world.talk.one(VERBS), {"query": " ".join(about)}, _shown(world, found, topic)


def _read(world: _World, topic: Sequence[str], thing: Thing) -> tuple[str, Body, str]:
    more = [world.thing(topic) for _ in range(world.chance.choice((0, 0, 1, 2, 5)))]
    body = world.text(topic, [thing, *more], world.chance.randint(1, 3 + int(14 * world.habits["size"])))
    result = f"{_shown(world, [thing, *more], topic)}\n{body}" if world.chance.random() < 0.8 else body
    world.seen += [*more, thing]
    return world.talk.one(READS), {"id": thing.id}, result


def _act(world: _World, topic: Sequence[str], thing: Thing) -> tuple[str, Body, str]:
    other = world.earlier()
    arguments: Body = {"id": thing.id}
    if other and other is not thing and world.chance.random() < 0.5:
        arguments["with"] = other.id
    if thing.values and world.chance.random() < 0.4:
        arguments["value"] = world.chance.choice(thing.values)
    if world.does("fresh"):
        arguments["text"] = world.text(topic, [thing], world.chance.randint(1, 4))
    if world.does("fresh"):
        arguments["new"] = world.code()
    made = world.thing(topic) if world.chance.random() < 0.3 else None
    if made:
        world.seen.append(made)
    return world.talk.one(ACTS), arguments, _shown(world, [made], topic) if made else world.talk.one(SHORT)


def _step(world: _World, topic: Sequence[str]) -> tuple[str, Body, str]:
    if world.made and world.does("again"):
        return world.made[max(0, len(world.made) - 1 - int(world.chance.expovariate(0.3)))]
    thing = world.earlier()
    if thing is None or world.does("search"):
        step = _search(world, topic)
    else:
        step = (_act if world.does("act") else _read)(world, topic, thing)
    if world.does("errs"):
        step = (step[0], {**step[1], "limit": world.value()}, world.talk.one(FAULTS))
    world.made.append(step)
    return step


def _thought(world: _World, topic: Sequence[str]) -> str | None:
    if not world.does("thinks"):
        return world.talk.one(FILLER) if world.chance.random() < 0.2 else None
    things = [thing for thing in (world.earlier() if world.does("quotes") else None,) if thing]
    return " ".join(
        world.fill(world.talk.one(THOUGHTS), topic, things[0] if things else None)
        for _ in range(world.chance.randint(1, 3))
    )


def _answer(world: _World, topic: Sequence[str]) -> str:
    found = (world.earlier() for _ in range(world.chance.randint(0, 4)))
    things = [thing for thing in found if thing and world.does("quotes")]
    said = world.text(topic, things, world.chance.randint(1, 4))
    return "\n".join((said, *(f"- {thing.id}: {', '.join(thing.values)}" for thing in things)))


def wander(chance: random.Random) -> list[Body]:
    """One conversation in a world of its own."""
    world = _world(chance)
    form = chance.choices(("tools", "text", "talk"), (0.6, 0.22, 0.18))[0]
    turns = chance.choice((1, 1, 2, 3, 5, 8)) if form != "talk" else chance.randint(8, 22)
    steps = max(2, round(chance.uniform(12, 45) / turns))
    for turn in range(turns):
        topic = world.talk.one(world.topics)
        back = world.earlier() if turn and world.does("back") else None
        if form == "talk":
            _talked(world, topic, back)
            continue
        world.talk.user(world.fill(world.talk.one(OPENERS), topic, back))
        for _ in range(chance.randint(1, 2 * steps)):
            if turns > 1 and chance.random() < 0.06:
                topic = world.talk.one(world.topics)
            count = chance.randint(2, 4) if world.does("parallel") else 1
            world.talk.calls([_step(world, topic) for _ in range(count)], _thought(world, topic))
        world.talk.say(_answer(world, topic))
        if world.does("thanks"):
            world.talk.user(world.talk.one(THANKS))
            world.talk.say(world.talk.one(FILLER))
    return as_text(world.talk.messages, chance) if form == "text" else world.talk.messages


def _talked(world: _World, topic: Sequence[str], back: Thing | None) -> None:
    """A question and its answer, with no tool."""
    new = [world.thing(topic) for _ in range(world.chance.choice((0, 1, 1, 3)))]
    asked = world.fill(world.talk.one(OPENERS), topic, back)
    world.talk.user(f"{world.text(topic, new, world.chance.randint(1, 6))} {asked}" if new else asked)
    made = [world.thing(topic) for _ in range(world.chance.choice((0, 0, 1, 2)))]
    world.seen += [*new, *made]
    world.talk.say(f"{_answer(world, topic)} {world.text(topic, made, 2) if made else ''}".strip())


def as_text(messages: Sequence[Body], chance: random.Random) -> list[Body]:
    """The same conversation of an agent that has no tools: calls are text, results are the user's messages."""
    head, call = chance.choice((("Observation: ", "{t}\nAction: {n}[{a}]"), ("", "Thought: {t}\n{n}({a})"),
                                ("OUTPUT:\n", "{t}\n```\n{n} {a}\n```")))  # fmt: skip
    told: list[Body] = []
    for message in messages:
        if message.get("role") == "tool":
            if told[-1]["role"] == "user":
                told[-1] = {"role": "user", "content": f"{told[-1]['content']}\n{message['content']}"}
            else:
                told.append({"role": "user", "content": f"{head}{message['content']}"})
            continue
        calls = message.get("tool_calls", ())
        for one in calls:
            function = one["function"]
            values = ", ".join(map(str, json.loads(function["arguments"]).values()))
            content = call.format(t=message["content"] or "", n=function["name"], a=values)
            told.append({"role": "assistant", "content": content}) if one is calls[0] else told[-1].update(
                content=f"{told[-1]['content']}\n{content}"
            )
        if not calls:
            told.append(dict(message))
    return told


def wanderings(seeds: Sequence[int]) -> Iterator[Body]:
    """One finished conversation for each seed: {"id", "messages"}, the same for the same seed."""
    for seed in seeds:
        yield {"id": f"wandering-{seed}", "messages": wander(random.Random(f"wandering {seed}"))}


def main(arguments: Sequence[str]) -> int:
    """Write 200 of them to a file."""
    rows: Iterator[Any] = wanderings(range(200))
    Path(arguments[0]).write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
