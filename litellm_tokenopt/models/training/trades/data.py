"""An analyst's questions of a warehouse."""

from __future__ import annotations

import json
import random
from typing import TypeAlias

from .talk import CITIES, NOUNS, THANKS, Body, Talk, rows

# A table, and its best city with what it made.
Figure: TypeAlias = tuple[str, str, float]


def data(chance: random.Random) -> list[Body]:
    """An analyst's questions of a warehouse: schemas are read, queries fail, figures are compared."""
    talk = Talk(chance, "You analyse data with SQL. Say figures exactly as the queries give them.")
    tables = [f"{noun}_{talk.one(('daily', 'facts', 'events', 'dim'))}" for noun in talk.some(NOUNS, 4, 9)]
    talk.user(f"How did {tables[0].split('_')[0]} do last quarter? Always use EUR.")
    talk.call("list_tables", {}, json.dumps(tables))
    figures: list[Figure] = []
    for episode in range(chance.randint(3, 7)):
        table = talk.one(tables)
        back = talk.one(figures) if figures and talk.maybe(0.4) else None
        if back is not None:
            talk.user(f"Compare that with {back[1]} in the {back[0].split('_')[0]} numbers from before.")
        elif episode:
            talk.user(f"And {talk.one(('per city', 'by month', 'in total'))} for {table.split('_')[0]}?")
        _episode(talk, tables, table, back, figures)
    return talk.messages


def _episode(talk: Talk, tables: list[str], table: str, back: Figure | None, figures: list[Figure]) -> None:
    for name in dict.fromkeys([*talk.some(tables, 0, 2), table]):
        talk.call("describe_table", {"table": name}, rows(_columns(talk), talk.chance))
    column = f"{talk.one(NOUNS)}_eur"
    if talk.maybe(0.3):
        failed = f'Error: column "{column}" does not exist'
        talk.call("run_query", {"sql": f"select sum({column}) from {table}"}, failed)
    found = _sums(talk, table)
    best = max(found, key=lambda pair: pair[1])
    figures.append((table, *best))
    if back is not None:
        talk.say(f"{best[0]} leads {table} with {best[1]} EUR; {back[1]} had {back[2]} EUR in {back[0]}.")
    else:
        talk.say(f"In {table}, {best[0]} is first with {best[1]} EUR, then {found[-1][0]} with {found[-1][1]}.")
    if talk.maybe(0.3):
        talk.user(talk.one(THANKS))
        talk.say("You're welcome.")


def _columns(talk: Talk) -> list[Body]:
    return [
        {
            "name": f"{talk.one(NOUNS)}_{talk.one(('id', 'amount', 'at', 'eur'))}",
            "type": talk.one(("bigint", "text", "numeric")),
        }
        for _ in range(talk.chance.randint(4, 12))
    ]


def _sums(talk: Talk, table: str) -> list[tuple[str, float]]:
    found = [(talk.one(CITIES), round(talk.chance.uniform(100, 90000), 2)) for _ in range(talk.chance.randint(3, 25))]
    result = [{"city": city, "eur": value} for city, value in found]
    text = rows(result, talk.chance) if talk.maybe(0.7) else "city,eur\n" + "\n".join(f"{c},{v}" for c, v in found)
    talk.call("run_query", {"sql": f"select city, sum(amount_eur) from {table} group by 1"}, text)
    return found
