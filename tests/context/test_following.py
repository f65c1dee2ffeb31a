"""A record is told by its own values, in the order of an earlier one's keys."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tables import by_keys, spread_out

from litellm_tokenopt.context.following import following, names_in
from litellm_tokenopt.context.kinds import condense

exact = partial(json.loads, **{f"parse_{kind}": lambda text: ("number", text) for kind in ("int", "float", "constant")})


def read(base: str, values: str) -> Any:
    """What *values* stand for, read as one reads them with the keys of *base*."""
    told = exact(f"{{{values}}}")
    return spread_out(by_keys(exact(base), told["values"] if list(told) == ["values"] else told))


def visit(number: int, legs: int, **more: Any) -> dict[str, Any]:
    """A record of a dozen members, as a service would return it."""
    ways = [
        {"ferry": f"F{number}{n}", "from": "Mull", "to": "Iona", "day": f"2031-05-0{n % 2 + 1}"} for n in range(legs)
    ]
    return {
        "visit": f"V{number}", "guest": f"g_{number}", "house": "Alder", "kind": "long", "room": number, "beds": 2,
        "ferries": ways, "paid": [{"by": "card", "amount": 20.50 + number}], "since": "2031-01-01",
        "bags": number % 3, "dogs": 0, "late": False, **more,
    }  # fmt: skip


def told(base: object, other: object) -> str:
    values = following(condense(json.dumps(base)), condense(json.dumps(other)))
    assert read(condense(json.dumps(base)), values) == spread_out(exact(json.dumps(other)))
    return values


def test_a_record_keeps_the_keys_that_a_reader_would_miscount() -> None:
    """Plain values side by side are lists of six at most, behind the first one's key; what holds more has its key."""
    assert told(visit(1, 1), visit(2, 1)) == (
        '"visit..":["V2","g_2","Alder","long",2,2],"ferries":[["F20","Mull","Iona","2031-05-01"]],'
        '"paid":[["card",22.5]],"since..":["2031-01-01",2,0,false]'
    )


def test_a_small_object_is_a_list_of_values() -> None:
    """Few enough to see at once which is which; null and empty ones as they are."""
    base = {"name": "Iona", "at": {"north": 56.3, "west": 6.4}, "tags": ["island"], "of": None}
    assert told(base, {**base, "at": {"north": 1, "west": -2.50}}) == '"values":["Iona",[1,-2.5],["island"],null]'
    assert told(base, {**base, "at": None, "of": {"x": 1}}) == '"values":["Iona",null,["island"],{"x":1}]'


def test_members_that_one_lacks_or_has_beside_keep_their_keys() -> None:
    """What is missing ends a list of values; what is new stands under its own key."""
    other = visit(3, 1, note="by boat")
    del other["house"]
    said = told(visit(1, 1), other)
    assert said.startswith('"visit":"V3","guest":"g_3","kind..":["long",3,2],"ferries":')
    assert said.endswith('"since..":["2031-01-01",0,0,false],"note":"by boat"')


def test_rows_follow_the_columns_of_the_earlier_table() -> None:
    """What all rows have in common stays apart, and a column that they don't share any more is named."""
    base = [
        {"ferry": f"F{n}", "deck": {"cars": n, "bikes": n * 2}, "day": "2031-05-01", "open": True} for n in range(3)
    ]
    single = [{"ferry": "F9", "deck": {"cars": 7, "bikes": 8}, "day": "2031-06-01", "open": False}]
    assert told(base, single) == '"all_rows":{"day":"2031-06-01","open":false},"rows":[["F9",7,8]]'
    days = [{**one, "day": f"2031-05-0{n + 1}"} for n, one in enumerate(base)]
    assert told(base, days) == (
        '"all_rows":{"open":true},"more_columns":["day"],'
        '"rows":[["F0",0,0,"2031-05-01"],["F1",1,2,"2031-05-02"],["F2",2,4,"2031-05-03"]]'
    )
    assert told(base, []) == '"values":[]'


def test_groups_that_name_rows_follow_such_a_table() -> None:
    """Ways of two legs each, of which legs come again: each leg is said once."""

    def ways(first: int) -> list[list[dict[str, object]]]:
        legs = [
            {"ferry": f"F{first + n}", "from": "Mull", "to": "Iona", "leaves": f"0{n}:15", "cars": n, "by": f"crew {n}"}
            for n in range(5)
        ]
        return [[legs[0], legs[2]], [legs[0], legs[3]], [legs[1], legs[2]], [legs[1], legs[3]], [legs[0], legs[4]]]

    said = told(ways(10), ways(20))
    assert said.startswith('"all_rows":{"from":"Mull","to":"Iona"},"groups":[["F20","F22"],["F20","F23"],')
    assert said.count("02:15") == 1


@pytest.mark.parametrize(
    ("base", "other"),
    [
        ({"a": {"b": 1}}, {"a": [1]}),
        ({"a": 1, "b": 2}, [1, 2]),
        ([{"a": 1}], [[1]]),
        ({"a": 1}, {"values": [1]}),
        ({"a": 1}, {"a": 1, "a..": [1]}),
        ([1, 2], [3, 4]),
    ],
)
def test_what_could_be_taken_for_something_else_is_not_told(base: object, other: object) -> None:
    """A list where the earlier value has an object would be read as that object's values."""
    assert following(json.dumps(base), json.dumps(other)) == ""


@pytest.mark.parametrize(
    ("base", "other"),
    [
        ({"columns": 8, "rows": 120}, {"columns": 8, "rows": 130}),
        ({"columns": 8, "rows": True}, {"columns": 9, "rows": None}),
        ({"columns": "x", "rows": "abc"}, {"columns": "x", "rows": "abd"}),
        ({"columns": ["a"], "rows": [{"a": 1}]}, {"columns": ["a"], "rows": [{"a": 5}]}),
        ({"columns": ["a"], "rows": ["x"]}, {"columns": ["a"], "rows": ["y"]}),
        ({"columns": [{"a": 1}], "rows": [[1]]}, {"columns": [{"a": 2}], "rows": [[1]]}),
        ({"keyed_by": 7, "columns": ["a"], "rows": [[1]]}, {"keyed_by": 8, "columns": ["a"], "rows": [[1]]}),
        ({"columns": ["a"], "groups": 3}, {"columns": ["a"], "groups": [4]}),
    ],
)
def test_what_has_the_keys_of_a_table_alone_is_itself(base: object, other: object) -> None:
    """The size of a window or a sheet has columns and rows, too."""
    known, text = (json.dumps({"size": one, "name": "n", "of": 1}, separators=(",", ":")) for one in (base, other))
    assert following(known, text) == f'"values":[{json.dumps(other, separators=(",", ":"))},"n",1]'


def test_members_that_stand_there_twice_are_not_told() -> None:
    """The second would be lost; of an earlier value's keys, nobody could tell which one is meant."""
    assert following('{"a":1,"b":2}', '{"a":1,"a":2}') == ""
    assert following('{"a":1,"a":2}', '{"a":1}') == ""
    assert following('{"a":1,"b":2,"c":3,"a..":4}', '{"a":1,"b":2,"c":3}') == ""


def test_names_are_those_of_tables_too() -> None:
    """Keys at any depth, and columns."""
    text = condense(json.dumps({"of": [{"id": n, "size": {"x": n, "y": "no"}} for n in range(9)]}))
    assert names_in(text) == {"of", "id", "size.x", "size.y"}


plain = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9).map(lambda n: round(n, 1)) | st.text(max_size=4)
)
leaf = plain | st.lists(plain, max_size=3)
leg = st.fixed_dictionaries(
    {"id": st.sampled_from("abc"), "from": plain, "seats": st.fixed_dictionaries({"a": plain, "b": plain})},
    optional={"note": leaf, "price": st.integers(0, 2)},
)
record = st.fixed_dictionaries(
    {
        "id": plain, "who": st.fixed_dictionaries({"first": plain, "last": plain}), "legs": st.lists(leg, max_size=4),
        "ways": st.lists(st.lists(leg, min_size=1, max_size=2), max_size=4), "one": plain, "two": plain, "three": plain,
        "by_id": st.dictionaries(st.sampled_from("abc"), leg, max_size=3),
    },
    optional={"four": plain, "more": leg | plain, "who_else": st.lists(leg, max_size=2) | plain},
)  # fmt: skip
anything = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abxyz."), inner, max_size=3)
)
containers = record | st.lists(leg, max_size=4) | st.lists(st.lists(leg, max_size=2), max_size=4) | anything


@given(containers, containers)
@settings(max_examples=300, deadline=None)
def test_values_and_keys_give_the_record(base: object, other: object) -> None:
    """Whatever the two have in common: what is told can be read, to the last digit, or nothing is told."""
    known, text = (condense(json.dumps([one, "filler " * 40])) for one in (base, other))
    values = following(known, text)
    assert not values or read(known, values) == spread_out(exact(text))
    if isinstance(base, (dict, list)) and isinstance(other, (dict, list)):
        values = following(json.dumps(base), json.dumps(other))
        assert not values or read(json.dumps(base), values) == spread_out(exact(json.dumps(other)))


@given(record, record)
@settings(max_examples=100, deadline=None)
def test_records_of_one_service_can_be_told(base: dict[str, Any], other: dict[str, Any]) -> None:
    """Optional members and lists of any length don't stand in the way."""
    assert told(base, other)
