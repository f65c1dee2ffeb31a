"""Names of tools as verbs and things."""

from __future__ import annotations

import pytest

from litellm_tokenopt.tools.names import Name, read_names


def test_the_verb_is_found_wherever_it_stands() -> None:
    """In front, at the end, in humps or with dots."""
    order = frozenset({"order"})
    assert read_names(["get_order", "orderGet", "order.get"]) == [Name("", "get", order)] * 3


@pytest.mark.parametrize(("name", "verb"), [("create_report", "create"), ("report_create", "create"), ("refund", "")])
def test_what_may_be_a_thing_is_a_verb_only_where_no_other_is_there(name: str, verb: str) -> None:
    """A report is made, not reported, where another verb stands beside it."""
    assert read_names([name])[0].verb == verb


def test_what_all_tools_of_a_server_begin_with_is_their_namespace() -> None:
    """It's no thing that a tool works on, even where it's a verb elsewhere."""
    names = ["compute_list_disks", "compute_stop_disk", "compute_start_disk", "compute_delete_disk"]
    assert read_names(names)[1] == Name("compute", "stop", frozenset({"disk"}))


def test_common_verbs_are_no_namespace() -> None:
    """Many tools that get something are of no family for that."""
    names = ["get_report_status", "get_call_log", "get_test_score", "get_mail"]
    assert {name.namespace for name in read_names(names)} == {""}
