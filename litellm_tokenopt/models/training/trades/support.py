"""A shop's customer and the agent."""

from __future__ import annotations

import json
import random

from .talk import CITIES, FIRST, LAST, NOUNS, THANKS, THINGS, Body, Talk, rows


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
        _episode(talk, orders, wanted, past, profile, episode)
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


def _episode(talk: Talk, orders: list[Body], wanted: Body, past: list[Body], profile: Body, episode: int) -> None:
    known = any(order is wanted for order in past)
    if episode:
        talk.user(_asked(talk, wanted))
    if not known:
        _look_up(talk, orders, wanted)
        past.append(wanted)
    talk.one(ACTIONS)(talk, wanted, profile)
    if talk.maybe(0.5):
        talk.user(talk.one(THANKS))
        talk.say(talk.one(("You're welcome. Anything else?", "Gladly. Is there something else?")))


def _asked(talk: Talk, wanted: Body) -> str:
    questions = (
        f"Now, about the {wanted['item']}: can you {talk.one(('return', 'exchange', 'cancel'))} it?",
        f"I also want to know about my {wanted['item']}.",
        f"And what about the {wanted['item']} that came from {wanted['warehouse']}?",
        f"Could you check the {wanted['item']} I ordered on {wanted['ordered']}?",
    )
    return str(talk.one(questions))


def _look_up(talk: Talk, orders: list[Body], wanted: Body) -> None:
    looked = talk.some([order for order in orders if order is not wanted], 0, 3)
    for order in talk.chance.sample([*looked, wanted], len(looked) + 1):
        if talk.maybe(0.08):
            talk.call("get_order", {"order_id": order["order_id"][1:]}, "Error: order not found")
        talk.call("get_order", {"order_id": order["order_id"]}, json.dumps(order))


def _exchange(talk: Talk, wanted: Body, profile: Body) -> None:
    variants = [_variant(talk) for _ in range(talk.chance.randint(3, 14))]
    talk.call("get_product", {"product": wanted["item"]}, rows(variants, talk.chance))
    chosen = talk.one(variants)
    payment = profile["payment_methods"][0]
    talk.say(
        f"I can exchange the {wanted['item']} from order {wanted['order_id']} for the {chosen['colour']} one at "
        f"${chosen['price']}. The difference goes to {payment}. Shall I go on?"
    )
    talk.user(talk.one(("Yes please.", "Yes, do it.", "Go ahead.")))
    arguments = {
        "order_id": wanted["order_id"],
        "item_ids": [wanted["item_id"]],
        "new_item_ids": [chosen["item_id"]],
        "payment": payment,
    }
    done = {"status": "exchange requested", "order_id": wanted["order_id"]}
    talk.call("exchange_items", arguments, json.dumps(done))
    talk.say(f"Done: the {wanted['item']} will be exchanged for the {chosen['colour']} one.")


def _variant(talk: Talk) -> Body:
    return {
        "item_id": talk.code("", 10),
        "colour": talk.one(("red", "black", "sand", "navy")),
        "price": round(talk.chance.uniform(10, 500), 2),
        "available": talk.maybe(0.6),
    }


def _return(talk: Talk, wanted: Body, profile: Body) -> None:
    if talk.maybe(0.4):
        talk.call("search_policy", {"query": "returns"}, _policy(talk))
    talk.say(f"The {wanted['item']} costs ${wanted['price']}. Refund to {talk.one(profile['payment_methods'])}?")
    talk.user("Yes, please.")
    arguments = {"order_id": wanted["order_id"], "item_ids": [wanted["item_id"]]}
    talk.call("return_items", arguments, json.dumps({"status": "return requested", "label": talk.code("RL-", 6)}))
    talk.say(f"Your return of order {wanted['order_id']} is booked; ${wanted['price']} comes back in 5 days.")


def _change_address(talk: Talk, wanted: Body, _: Body) -> None:
    street = f"{talk.chance.randint(2, 199)} {talk.one(LAST)} Street"
    talk.user(f"Please send it to {street}, {talk.one(CITIES)} instead.")
    talk.call("change_address", {"order_id": wanted["order_id"], "street": street}, '{"status": "ok"}')
    talk.say(f"Order {wanted['order_id']} goes to {street} now.")


def _track(talk: Talk, wanted: Body, _: Body) -> None:
    talk.call("track_parcel", {"tracking": wanted["tracking"]}, _scans(talk, wanted["tracking"]))
    talk.say(f"Parcel {wanted['tracking']} from {wanted['warehouse']} is {wanted['status']}.")


# Tracking is what customers ask most.
ACTIONS = (_exchange, _return, _change_address, _track, _track)


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
