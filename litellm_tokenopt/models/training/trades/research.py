"""A report that is researched on the web."""

from __future__ import annotations

import random

from .talk import CITIES, FIRST, LAST, NOUNS, THINGS, Body, Talk, rows


def research(chance: random.Random) -> list[Body]:
    """Web pages are searched and read; few of them hold what the report cites."""
    talk = Talk(chance, "You research on the web and answer with sources.")
    subject = f"{talk.one(THINGS)} market in {talk.one(CITIES)}"
    talk.user(f"Write a short report on the {subject}: prices, makers, and what changed since 2023. Cite each source.")
    notes: list[tuple[str, str]] = []
    for _ in range(chance.randint(3, 8)):
        _episode(talk, subject, notes)
    cited = "\n".join(f"- {fact} ({url})" for fact, url in notes)
    talk.say(f"# The {subject}\n\n{cited or 'Nothing certain was found.'}")
    for _ in range(chance.randint(0, 3)):
        if notes:
            fact, url = talk.one(notes)
            talk.user(f"Where did you get the figure of {fact.split()[0]} from?")
            talk.say(f"From {url}: {fact}.")
    return talk.messages


def _episode(talk: Talk, subject: str, notes: list[tuple[str, str]]) -> None:
    aspect = talk.one(("prices", "makers", "recalls", "imports", "forecasts", "reviews", "patents"))
    pages = [(_address(talk), aspect if n < 2 else talk.one(NOUNS)) for n in range(talk.chance.randint(3, 8))]
    hits = [
        {"title": f"{what.title()} of the {subject}", "url": url, "snippet": _sentence(talk, what)}
        for url, what in talk.chance.sample(pages, len(pages))
    ]
    talk.call("web_search", {"query": f"{subject} {aspect}"}, rows(hits, talk.chance))
    for url, what in talk.some(pages, 1, 3):
        if talk.maybe(0.12):
            talk.call("open_page", {"url": url}, "Error 403: forbidden")
        else:
            notes += _read(talk, url, what, aspect)
    if notes and talk.maybe(0.4):
        talk.call("save_note", {"text": notes[-1][0], "source": notes[-1][1]}, '{"saved": true}')


def _read(talk: Talk, url: str, what: str, aspect: str) -> list[tuple[str, str]]:
    """What a page says of the aspect that was searched for, and its address; no other page holds a fact."""
    chance = talk.chance
    fact = f"{talk.one(LAST)} Ltd sold {chance.randint(1000, 99999)} units in {chance.randint(2019, 2025)}"
    talk.call("open_page", {"url": url}, _page(talk, what, fact if what == aspect else None))
    return [(fact, url)] if what == aspect else []


def _address(talk: Talk) -> str:
    return (
        f"https://www.{talk.one(LAST).lower()}{talk.one(NOUNS)}.com/{talk.one(NOUNS)}/{talk.chance.randint(100, 99999)}"
    )


def _sentence(talk: Talk, what: str) -> str:
    who, percent = f"{talk.one(FIRST)} {talk.one(LAST)}", talk.chance.randint(2, 80)
    return f"{who} says that {what} of {talk.one(THINGS)} rose by {percent} percent in {talk.one(CITIES)}."


def _page(talk: Talk, what: str, fact: str | None) -> str:
    paragraphs = [
        " ".join(_sentence(talk, talk.one((what, talk.one(NOUNS)))) for _ in range(4))
        for _ in range(talk.chance.randint(2, 10))
    ]
    if fact:
        paragraphs.insert(talk.chance.randrange(len(paragraphs)), f"According to the yearly {what} report, {fact}.")
    return "\n\n".join(
        ["Home | News | Contact | Sign in", f"# {what.title()}", *paragraphs, "Accept cookies | Imprint"]
    )
