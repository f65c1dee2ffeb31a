"""Finished agent conversations, generated: ``python -m litellm_tokenopt.models.training.trajectories FILE.jsonl``.

Five trades (support, coding, data, research, operations). In each the user asks for several things in a row; the agent
searches, reads more than it needs, errs, reads again, acts with ids that it has found, and sums up. Some questions go
back to what was found long before.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]
Trade: TypeAlias = Callable[[random.Random], list[Body]]

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


# --- support ----------------------------------------------------------------------------------------------------


def support(chance: random.Random) -> list[Body]:
    """A shop's customer and the agent: orders are looked up one by one, and some are changed."""
    talk = Talk(
        chance, "You are the support agent of a web shop. Look up before you act; confirm changes with the user."
    )
    name, family = talk.one(FIRST), talk.one(LAST)
    customer = talk.code(f"{name.lower()}_{family.lower()}_", 4)
    orders = [_order(talk, customer) for _ in range(chance.randint(3, 9))]
    first = talk.one(orders)
    talk.user(f"Hi, I have a problem with the {first['item']} that I bought from you.")
    talk.say("I'm sorry to hear that. Could you give me your name and post code, or your customer id?")
    talk.user(f"{name} {family}, {talk.code('', 5)}" if talk.maybe(0.5) else f"It's {customer}.")
    profile = {
        "customer_id": customer,
        "name": f"{name} {family}",
        "city": talk.one(CITIES),
        "since": str(chance.randint(2012, 2024)),
        "payment_methods": [talk.code("card_", 7), talk.code("gift_card_", 7)],
        "orders": [o["order_id"] for o in orders],
    }
    talk.call("get_customer", {"customer_id": customer}, json.dumps(profile))
    past: list[Body] = []
    for episode in range(chance.randint(3, 7)):
        wanted = talk.one(past) if past and talk.maybe(0.3) else first if not episode else talk.one(orders)
        _support_episode(talk, orders, wanted, past, profile, episode)
    return talk.messages


def _order(talk: Talk, customer: str) -> Body:
    return {
        "order_id": talk.code("W", 7),
        "customer_id": customer,
        "item": talk.one(THINGS),
        "item_id": talk.code("", 10),
        "price": round(talk.chance.uniform(12, 480), 2),
        "status": talk.one(("delivered", "pending", "shipped", "processed")),
        "tracking": talk.code("TRK", 9),
        "ordered": f"2025-{talk.chance.randint(1, 12):02d}-{talk.chance.randint(1, 28):02d}",
        "warehouse": talk.one(CITIES),
        "options": {"colour": talk.one(("red", "black", "sand", "navy")), "size": talk.one("SML")},
    }


def _support_episode(
    talk: Talk, orders: list[Body], wanted: Body, past: list[Body], profile: Body, episode: int
) -> None:
    known = any(order is wanted for order in past)
    if episode:
        talk.user(
            talk.one(
                (
                    f"Now, about the {wanted['item']}: can you {talk.one(('return', 'exchange', 'cancel'))} it?",
                    f"I also want to know about my {wanted['item']}.",
                    f"And what about the {wanted['item']} that came from {wanted['warehouse']}?",
                    f"Could you check the {wanted['item']} I ordered on {wanted['ordered']}?",
                )
            )
        )
    if not known:
        looked = talk.some([order for order in orders if order is not wanted], 0, 3)
        for order in talk.chance.sample([*looked, wanted], len(looked) + 1):
            if talk.maybe(0.08):
                talk.call("get_order", {"order_id": order["order_id"][1:]}, "Error: order not found")
            talk.call("get_order", {"order_id": order["order_id"]}, json.dumps(order))
        past.append(wanted)
    action = talk.one(("exchange", "return", "address", "status", "status"))
    if action == "exchange":
        variants = [
            {
                "item_id": talk.code("", 10),
                "colour": talk.one(("red", "black", "sand", "navy")),
                "price": round(talk.chance.uniform(10, 500), 2),
                "available": talk.maybe(0.6),
            }
            for _ in range(talk.chance.randint(3, 14))
        ]
        talk.call("get_product", {"product": wanted["item"]}, rows(variants, talk.chance))
        chosen = talk.one(variants)
        talk.say(
            f"I can exchange the {wanted['item']} from order {wanted['order_id']} for the {chosen['colour']} one at "
            f"${chosen['price']}. The difference goes to {profile['payment_methods'][0]}. Shall I go on?"
        )
        talk.user(talk.one(("Yes please.", "Yes, do it.", "Go ahead.")))
        arguments = {
            "order_id": wanted["order_id"],
            "item_ids": [wanted["item_id"]],
            "new_item_ids": [chosen["item_id"]],
            "payment": profile["payment_methods"][0],
        }
        talk.call(
            "exchange_items", arguments, json.dumps({"status": "exchange requested", "order_id": wanted["order_id"]})
        )
        talk.say(f"Done: the {wanted['item']} will be exchanged for the {chosen['colour']} one.")
    elif action == "return":
        if talk.maybe(0.4):
            talk.call("search_policy", {"query": "returns"}, _policy(talk))
        talk.say(f"The {wanted['item']} costs ${wanted['price']}. Refund to {talk.one(profile['payment_methods'])}?")
        talk.user("Yes, please.")
        arguments = {"order_id": wanted["order_id"], "item_ids": [wanted["item_id"]]}
        talk.call("return_items", arguments, json.dumps({"status": "return requested", "label": talk.code("RL-", 6)}))
        talk.say(f"Your return of order {wanted['order_id']} is booked; ${wanted['price']} comes back in 5 days.")
    elif action == "address":
        street = f"{talk.chance.randint(2, 199)} {talk.one(LAST)} Street"
        talk.user(f"Please send it to {street}, {talk.one(CITIES)} instead.")
        talk.call("change_address", {"order_id": wanted["order_id"], "street": street}, '{"status": "ok"}')
        talk.say(f"Order {wanted['order_id']} goes to {street} now.")
    else:
        talk.call("track_parcel", {"tracking": wanted["tracking"]}, _scans(talk, wanted["tracking"]))
        talk.say(f"Parcel {wanted['tracking']} from {wanted['warehouse']} is {wanted['status']}.")
    if talk.maybe(0.5):
        talk.user(talk.one(THANKS))
        talk.say(talk.one(("You're welcome. Anything else?", "Gladly. Is there something else?")))


def _policy(talk: Talk) -> str:
    return " ".join(
        f"Goods of the group {talk.one(THINGS)} may go back within "
        f"{talk.chance.choice((14, 30, 60))} days if {talk.one(NOUNS)} and {talk.one(NOUNS)} are there."
        for _ in range(talk.chance.randint(3, 12))
    )


def _scans(talk: Talk, tracking: str) -> str:
    return json.dumps(
        {
            "tracking": tracking,
            "scans": [
                {
                    "at": f"2025-03-{n + 1:02d}T{talk.chance.randrange(24):02d}:10",
                    "place": talk.one(CITIES),
                    "note": talk.one(("sorted", "loaded", "in transit")),
                }
                for n in range(talk.chance.randint(2, 9))
            ],
        }
    )


# --- coding -----------------------------------------------------------------------------------------------------


def coding(chance: random.Random) -> list[Body]:
    """A repository: files are searched, read and changed, tests run again and again."""
    talk = Talk(chance, "You are a coding agent. Use the tools to read, change and test the repository.")
    modules = [_module(talk) for _ in range(chance.randint(5, 12))]
    broken = talk.one(modules)
    talk.user(f"The {broken['noun']} tests fail since yesterday. Find out why and fix it. Never touch the migrations.")
    listing = "\n".join(sorted(f"{m['path']}  {chance.randint(400, 9000)}" for m in modules))
    talk.call("list_files", {"path": "src"}, listing)
    read: list[Body] = []
    for episode in range(chance.randint(2, 5)):
        if episode:
            broken = talk.one(read) if talk.maybe(0.35) else talk.one(modules)
            talk.user(
                talk.one(
                    (
                        f"Next: {broken['function']} should also accept None.",
                        f"Can you add a test for the {broken['noun']} module?",
                        f"Rename {broken['function']} to something clearer, please.",
                        f"The {broken['noun']} part is slow; look at it again.",
                    )
                )
            )
        _coding_episode(talk, modules, broken, read)
    return talk.messages


def _module(talk: Talk) -> Body:
    noun, verb = talk.one(NOUNS), talk.one(("load", "merge", "check", "render", "flush", "parse", "build"))
    number = talk.chance.randint(2, 99)
    return {
        "noun": noun,
        "path": f"src/{noun}/{verb}_{noun}{number}.py",
        "function": f"{verb}_{noun}_{talk.one(NOUNS)}",
        "line": talk.chance.randint(8, 300),
    }


def _source(talk: Talk, module: Body) -> str:
    lines = [f"import {talk.one(NOUNS)}", ""]
    for n in range(talk.chance.randint(2, 9)):
        name = module["function"] if n == 1 else f"{talk.one(('get', 'set', 'make'))}_{talk.one(NOUNS)}_{n}"
        lines += [f"def {name}({talk.one(NOUNS)}, limit={talk.chance.randint(2, 900)}):"]
        lines += [
            f"    {talk.one(NOUNS)} = {talk.one(NOUNS)}.{talk.one(('first', 'count', 'rows'))}(limit)"
            for _ in range(talk.chance.randint(2, 9))
        ]
        lines += [f"    return {talk.one(NOUNS)}", ""]
    return "\n".join(lines)


def _tests(talk: Talk, module: Body, failing: bool) -> str:
    lines = [f"tests/test_{talk.one(NOUNS)}.py::test_{n} PASSED" for n in range(talk.chance.randint(4, 30))]
    if failing:
        lines += [
            f"tests/test_{module['noun']}.py::test_{module['function']} FAILED",
            "=" * 30,
            f"{module['path']}:{module['line']}: in {module['function']}",
            f"E   TypeError: {talk.one(NOUNS)} expected {talk.chance.randint(2, 9)} values, "
            f"got {talk.chance.randint(10, 19)}",
        ]
    return "\n".join([*lines, f"{talk.chance.randint(10, 90)} passed in {talk.chance.uniform(1, 9):.2f}s"])


def _coding_episode(talk: Talk, modules: list[Body], broken: Body, read: list[Body]) -> None:
    if talk.maybe(0.7):
        talk.call("run_tests", {"target": f"tests/test_{broken['noun']}.py"}, _tests(talk, broken, failing=True))
    if talk.maybe(0.6):
        hits = [f"{m['path']}:{m['line']}: def {m['function']}(" for m in [broken, *talk.some(modules, 1, 4)]]
        talk.call("search_code", {"pattern": broken["function"]}, "\n".join(talk.chance.sample(hits, len(hits))))
    for module in talk.some([m for m in modules if m is not broken], 0, 3):
        talk.call("read_file", {"path": module["path"]}, _source(talk, module))
    if talk.maybe(0.1):
        talk.call("read_file", {"path": broken["path"][4:]}, "Error: no such file")
    talk.call("read_file", {"path": broken["path"]}, _source(talk, broken))
    if all(module is not broken for module in read):
        read.append(broken)
    for attempt in range(talk.chance.randint(1, 3)):
        edit = {
            "path": broken["path"],
            "old": f"def {broken['function']}(",
            "new": f"def {broken['function']}(  # {attempt}",
        }
        talk.call("edit_file", edit, f"edited {broken['path']}, 1 replacement")
        done = attempt == 2 or talk.maybe(0.5)
        talk.call("run_tests", {"target": f"tests/test_{broken['noun']}.py"}, _tests(talk, broken, failing=not done))
        if done:
            break
    talk.say(
        f"Fixed: `{broken['function']}` in `{broken['path']}` (line {broken['line']}) no longer fails; tests pass."
    )


# --- data -------------------------------------------------------------------------------------------------------


def data(chance: random.Random) -> list[Body]:
    """An analyst's questions of a warehouse: schemas are read, queries fail, figures are compared."""
    talk = Talk(chance, "You analyse data with SQL. Say figures exactly as the queries give them.")
    tables = [f"{noun}_{talk.one(('daily', 'facts', 'events', 'dim'))}" for noun in talk.some(NOUNS, 4, 9)]
    talk.user(f"How did {tables[0].split('_')[0]} do last quarter? Always use EUR.")
    talk.call("list_tables", {}, json.dumps(tables))
    figures: list[tuple[str, str, float]] = []
    for episode in range(chance.randint(3, 7)):
        table = talk.one(tables)
        back = talk.one(figures) if figures and talk.maybe(0.4) else None
        if back is not None:
            talk.user(f"Compare that with {back[1]} in the {back[0].split('_')[0]} numbers from before.")
        elif episode:
            talk.user(f"And {talk.one(('per city', 'by month', 'in total'))} for {table.split('_')[0]}?")
        _query_episode(talk, tables, table, back, figures)
    return talk.messages


def _query_episode(
    talk: Talk,
    tables: list[str],
    table: str,
    back: tuple[str, str, float] | None,
    figures: list[tuple[str, str, float]],
) -> None:
    for name in dict.fromkeys([*talk.some(tables, 0, 2), table]):
        columns = [
            {
                "name": f"{talk.one(NOUNS)}_{talk.one(('id', 'amount', 'at', 'eur'))}",
                "type": talk.one(("bigint", "text", "numeric")),
            }
            for _ in range(talk.chance.randint(4, 12))
        ]
        talk.call("describe_table", {"table": name}, rows(columns, talk.chance))
    column = f"{talk.one(NOUNS)}_eur"
    if talk.maybe(0.3):
        talk.call(
            "run_query", {"sql": f"select sum({column}) from {table}"}, f'Error: column "{column}" does not exist'
        )
    found = [(talk.one(CITIES), round(talk.chance.uniform(100, 90000), 2)) for _ in range(talk.chance.randint(3, 25))]
    sql = f"select city, sum(amount_eur) from {table} group by 1"
    result = [{"city": city, "eur": value} for city, value in found]
    text = rows(result, talk.chance) if talk.maybe(0.7) else "city,eur\n" + "\n".join(f"{c},{v}" for c, v in found)
    talk.call("run_query", {"sql": sql}, text)
    best = max(found, key=lambda pair: pair[1])
    figures.append((table, *best))
    if back is not None:
        talk.say(f"{best[0]} leads {table} with {best[1]} EUR; {back[1]} had {back[2]} EUR in {back[0]}.")
    else:
        talk.say(f"In {table}, {best[0]} is first with {best[1]} EUR, then {found[-1][0]} with {found[-1][1]}.")
    if talk.maybe(0.3):
        talk.user(talk.one(THANKS))
        talk.say("You're welcome.")


# --- research ---------------------------------------------------------------------------------------------------


def research(chance: random.Random) -> list[Body]:
    """Web pages are searched and read; few of them hold what the report cites."""
    talk = Talk(chance, "You research on the web and answer with sources.")
    subject = f"{talk.one(THINGS)} market in {talk.one(CITIES)}"
    talk.user(f"Write a short report on the {subject}: prices, makers, and what changed since 2023. Cite each source.")
    notes: list[tuple[str, str]] = []
    for _ in range(chance.randint(3, 8)):
        aspect = talk.one(("prices", "makers", "recalls", "imports", "forecasts", "reviews", "patents"))
        pages = [(_address(talk), aspect if n < 2 else talk.one(NOUNS)) for n in range(talk.chance.randint(3, 8))]
        hits = [
            {"title": f"{what.title()} of the {subject}", "url": url, "snippet": _sentence(talk, what)}
            for url, what in talk.chance.sample(pages, len(pages))
        ]
        talk.call("web_search", {"query": f"{subject} {aspect}"}, rows(hits, chance))
        for url, what in talk.some(pages, 1, 3):
            if talk.maybe(0.12):
                talk.call("open_page", {"url": url}, "Error 403: forbidden")
                continue
            fact = f"{talk.one(LAST)} Ltd sold {chance.randint(1000, 99999)} units in {chance.randint(2019, 2025)}"
            talk.call("open_page", {"url": url}, _page(talk, what, fact if what == aspect else None))
            if what == aspect:
                notes.append((fact, url))
        if notes and talk.maybe(0.4):
            talk.call("save_note", {"text": notes[-1][0], "source": notes[-1][1]}, '{"saved": true}')
    cited = "\n".join(f"- {fact} ({url})" for fact, url in notes)
    talk.say(f"# The {subject}\n\n{cited or 'Nothing certain was found.'}")
    for _ in range(chance.randint(0, 3)):
        if notes:
            fact, url = talk.one(notes)
            talk.user(f"Where did you get the figure of {fact.split()[0]} from?")
            talk.say(f"From {url}: {fact}.")
    return talk.messages


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


# --- operations -------------------------------------------------------------------------------------------------


def operations(chance: random.Random) -> list[Body]:
    """An incident: alerts, logs and metrics of many services, one of which is to blame."""
    talk = Talk(chance, "You are the on-call assistant. Find causes, propose steps, act only after approval.")
    services = [f"{noun}-{talk.one(('api', 'worker', 'gateway'))}" for noun in talk.some(NOUNS, 5, 10)]
    talk.user(f"We have alerts on {services[0]}. What's going on? Don't restart anything without asking me.")
    guilty = talk.one(services)
    seen: list[Body] = []
    for episode in range(chance.randint(2, 5)):
        if episode:
            guilty = talk.one(seen)["service"] if talk.maybe(0.4) else talk.one(services)
            talk.user(
                talk.one(
                    (f"{guilty} looks odd too. Check it.", f"Is {guilty} fine again?", f"Why did {guilty} restart?")
                )
            )
        _incident_episode(talk, services, guilty, seen)
    return talk.messages


def _log(talk: Talk, service: str, error: str | None) -> str:
    lines = [
        f"2025-06-0{talk.chance.randint(1, 9)}T{talk.chance.randrange(24):02d}:{talk.chance.randrange(60):02d}:07Z "
        f"INFO {service} handled {talk.one(NOUNS)} in {talk.chance.randint(2, 900)}ms"
        for _ in range(talk.chance.randint(5, 40))
    ]
    if error:
        lines.insert(talk.chance.randrange(len(lines)), f"2025-06-04T11:20:33Z ERROR {service} {error}")
    return "\n".join(lines)


def _incident_episode(talk: Talk, services: list[str], guilty: str, seen: list[Body]) -> None:
    again = next((one for one in seen if one["service"] == guilty), None)
    known = again or {
        "service": guilty,
        "pod": f"{guilty}-{talk.chance.randrange(16**5):05x}",
        "release": f"v{talk.chance.randint(1, 9)}.{talk.chance.randint(10, 60)}.{talk.chance.randint(1, 9)}",
        "trace": f"{talk.chance.randrange(16**12):012x}",
    }
    if talk.maybe(0.6):
        alerts = [
            {"alert": talk.code("AL-", 5), "service": talk.one(services), "value": talk.chance.randint(1, 999)}
            for _ in range(talk.chance.randint(2, 9))
        ]
        talk.call(
            "list_alerts",
            {"state": "firing"},
            rows([*alerts, {"alert": talk.code("AL-", 5), "service": guilty, "value": 97}], talk.chance),
        )
    for service in talk.some([s for s in services if s != guilty], 0, 4):
        talk.call("get_logs", {"service": service, "minutes": 30}, _log(talk, service, None))
    if again is None or talk.maybe(0.3):
        pods = [
            {"pod": f"{guilty}-{talk.chance.randrange(16**5):05x}", "restarts": 0}
            for _ in range(talk.chance.randint(1, 5))
        ]
        talk.call(
            "list_pods",
            {"service": guilty},
            rows([*pods, {"pod": known["pod"], "restarts": talk.chance.randint(3, 40)}], talk.chance),
        )
        error = f"connection to {talk.one(NOUNS)}-db timed out, trace {known['trace']}"
        talk.call("get_logs", {"pod": known["pod"], "minutes": 30}, _log(talk, guilty, error))
        releases = [
            {"release": f"v{talk.chance.randint(1, 9)}.{talk.chance.randint(10, 60)}.0", "by": talk.one(FIRST)}
            for _ in range(talk.chance.randint(1, 6))
        ]
        talk.call(
            "list_releases",
            {"service": guilty},
            rows([{"release": known["release"], "by": talk.one(FIRST)}, *releases], talk.chance),
        )
    if talk.maybe(0.5):
        talk.call(
            "get_trace",
            {"trace": known["trace"]},
            json.dumps(
                {
                    "trace": known["trace"],
                    "spans": [
                        {"name": talk.one(NOUNS), "ms": talk.chance.randint(1, 9000)}
                        for _ in range(talk.chance.randint(3, 12))
                    ],
                }
            ),
        )
    talk.say(f"Pod {known['pod']} of {guilty} fails since {known['release']} (trace {known['trace']}). Roll back?")
    talk.user(talk.one(("Yes, roll back.", "Okay, go.", "Do it.")))
    talk.call("rollback_release", {"service": guilty, "from": known["release"]}, '{"status": "started"}')
    talk.say(f"The rollback of {guilty} from {known['release']} is under way.")
    if again is None:
        seen.append(known)


TRADES: tuple[Trade, ...] = (support, coding, data, research, operations)


def trajectories(seeds: Sequence[int], trades: Sequence[Trade] = TRADES) -> Iterator[Body]:
    """One finished conversation for each seed: {"id", "messages"}, the same for the same seed."""
    for seed in seeds:
        trade = trades[seed % len(trades)]
        yield {"id": f"{trade.__name__}-{seed}", "messages": trade(random.Random(seed))}


def main(arguments: Sequence[str]) -> int:
    """Write 200 of them to a file."""
    path = Path(arguments[0])
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in trajectories(range(200))), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
