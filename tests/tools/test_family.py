"""Which tools belong together."""

from __future__ import annotations

from typing import Any

from litellm_tokenopt.tools.family import kinship, requisites


def tool(name: str, *arguments: str) -> dict[str, Any]:
    properties = {argument: {"type": "string"} for argument in arguments}
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}


TOOLS = [
    tool("update_order", "order_id", "address"),
    tool("draw_picture", "prompt"),
    tool("play_music", "title"),
    tool("send_fax", "number"),
    tool("get_order", "order_id"),
    tool("get_customer_details", "customer_id"),
    tool("calculate", "expression"),
    tool("calculate_orbit", "planet"),
]
UPDATE, DRAW, _, _, GET, CUSTOMER, CALCULATE, ORBIT = range(len(TOOLS))


def test_tools_that_take_the_same_identifier_belong_together() -> None:
    """Whoever changes an order looks the order up."""
    wanted = kinship(TOOLS)[UPDATE]
    assert wanted[GET] > wanted[DRAW]


def test_looking_up_is_wanted_by_those_that_write_rather_than_the_other_way_round() -> None:
    """One reads before one writes."""
    wanted = kinship(TOOLS)
    assert wanted[UPDATE, GET] > wanted[GET, UPDATE]


def test_sums_and_the_look_up_of_the_person_belong_to_every_task() -> None:
    """They're used whatever the task is, and so come with it rather than late."""
    wanted = kinship(TOOLS)[DRAW]
    assert min(wanted[CALCULATE], wanted[CUSTOMER]) > wanted[ORBIT]


def test_nothing_belongs_to_itself() -> None:
    """The diagonal is zero."""
    assert not kinship(TOOLS).diagonal().any()


def test_what_opens_a_family_belongs_to_it() -> None:
    """Whoever fills in a form on a page went there first."""
    tools = [tool("browser_fill_form"), tool("browser_go_back"), tool("browser_navigate"), tool("send_navigate")]
    wanted = kinship(tools)[0]
    assert wanted[2] > wanted[1]
    assert wanted[2] > wanted[3]


def test_what_looks_up_the_thing_that_is_changed_comes_before() -> None:
    """Cancelling a booking wants what tells its identifier, then what shows it, and nothing that looks up others."""
    tools = [
        tool("cancel_booking", "booking_id"),
        tool("get_booking_details", "booking_id"),
        tool("get_room_details", "room_id"),
        tool("list_bookings"),
    ]
    assert requisites(tools) == ((3, 1), (3,), (), ())


def test_look_ups_are_found_wherever_the_verb_stands() -> None:
    """Names that end in their verbs, and names in humps, are read as well."""
    tools = [tool("mail_forward", "message_id", "to"), tool("mail_search", "query"), tool("mail_send", "to"),
             tool("mail_archive", "message_ids"), tool("file_search", "query")]  # fmt: skip
    assert requisites(tools)[0] == (1,)
    tools = [tool("logCall", "contactId"), tool("searchContacts", "query"), tool("searchDeals", "query")]
    assert requisites(tools)[0] == (1,)


def test_what_is_made_anew_needs_no_look_up_of_its_kind() -> None:
    """Who creates a ticket for a customer looks up the customer, not tickets."""
    tools = [tool("create_ticket", "customer_id"), tool("find_tickets", "text"), tool("find_customer", "name")]
    assert requisites(tools)[0] == (2,)


def test_a_family_that_begins_alike_has_its_look_ups_too() -> None:
    """Logging a call for an account wants what tells its identifier; whoever deletes it also sees it first."""
    tools = [
        tool("crm_log_call", "account_id", "notes"),
        tool("crm_find_account", "name"),
        tool("crm_list_deals", "stage"),
        tool("shop_find_account", "name"),
        tool("crm_get_account", "account_id"),
        tool("crm_delete_account", "account_id"),
    ]
    wanted = requisites(tools)
    assert wanted[0] == wanted[5] == (1, 4)
    assert wanted[1] == wanted[3] == ()


def test_a_narrow_look_up_brings_the_wider_one() -> None:
    """But one that differs by a number only is another version of it."""
    tools = [tool(name) for name in ("search_servers_for_agent", "search_servers", "search_servers_2", "get_servers")]
    assert requisites(tools) == ((1,), (), (), ())
