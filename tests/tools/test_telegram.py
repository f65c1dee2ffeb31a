"""Descriptions in telegram style: what constrains a call stays, what names and types say goes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.tools.telegram import FORM, PLAIN, RULE, Budget, telegram_argument, telegram_tool, weight
from litellm_tokenopt.tools.wording import WORDINGS

BUDGET = Budget(first=6, forms=10, rules=18)
TIGHT = Budget(first=0, forms=3, rules=5, obeys=False, generous=False)


def test_what_an_argument_does_at_a_value_stays() -> None:
    """A condition that changes what is done is a rule, though it names no bound."""
    said = telegram_argument("Height in pixels. If 0, it follows from the width.", "height resize", (), BUDGET)
    assert said == "Height in pixels; If 0, it follows from width"


@pytest.mark.parametrize(
    ("text", "told", "short"),
    [
        ("The path to the file to read, relative to the repository root", "path read_file",
         "relative to repository root"),
        ("Name of the repository", "repo get_issue owner number", ""),
        ("Whether to include drafts", "include_drafts list_posts", ""),
        ("The day of the visit in YYYY-MM-DD format (e.g., '2031-02-03')", "day book_visit",
         "day of visit in YYYY-MM-DD format"),
        ("The date for the visit in the format 'YYYY-MM-DD', such as '2031-02-03'", "date book_visit",
         "in format 'YYYY-MM-DD'"),
        ("Day in YYYY-MM-DD; must not be in the past", "day book_visit", "Day in YYYY-MM-DD; must not be in past"),
        ("An array of objects containing details about each visit", "visits book", ""),
        ("Colour to paint with, for example red, green or blue", "colour paint", ""),
        ("The wait until the next attempt. In seconds.", "wait poll", "wait until next attempt; In seconds"),
        ("Identifier of the order. Required when 'mode' is 'single'. Useful for shops.", "order_id ship mode",
         "Required when 'mode' is 'single'"),
        ("If provided, only entries after this moment are returned", "since list_entries",
         "only entries after moment are returned"),
        ("Used for 'create_invoice' alone, not for credit notes", "lines sell",
         "Used for 'create_invoice' alone, not for credit notes"),
    ],
)  # fmt: skip
def test_arguments_say_only_what_names_and_types_do_not(text: str, told: str, short: str) -> None:
    """Rules, formats, units, negations and telling examples stay; heads that repeat the name, and articles, go."""
    assert telegram_argument(text, told, (), BUDGET) == short


def test_what_the_schema_says_itself_goes() -> None:
    """Bounds and defaults that are keywords needn't be words; others must."""
    assert telegram_argument("Page size. Default 20, max 100", "page_size", ("20", "100"), BUDGET) == ""
    assert telegram_argument("Page size. Default 20, max 100", "page_size", ("100",), BUDGET) == "Default 20"
    assert telegram_argument("Page size (min 1, max 100; default: 20)", "page_size", ("1", "20"), BUDGET) == "max 100"


def test_quotes_and_code_are_never_touched() -> None:
    """Inside quotes and code each word counts, articles too."""
    text = "Must begin with `the a` and hold 'this is the given one' or a_the_b"
    assert (
        telegram_argument(text, "mark", (), BUDGET)
        == "Must begin with `the a` and hold 'this is the given one' or a_the_b"
    )


def test_tools_keep_their_purpose_and_their_rules() -> None:
    """Of a long description the first clause and the rules stay, without praise and occasions."""
    text = (
        "This tool deletes a record from the archive. Use this tool when you are tidying up. It is a wonderful tool. "
        "Records in use must never be deleted. Perfect for spring cleaning."
    )
    budget = Budget(first=12, forms=12, rules=24)
    short = "deletes record from archive; Records in use must never be deleted"
    assert telegram_tool(text, "delete_record id", budget) == short


@pytest.mark.parametrize(
    ("text", "told", "short"),
    [
        ("Get the details of an issue.", "get_issue issue_number", "Get details"),
        ("Reserve a table in a restaurant", "book_table restaurant people", "Reserve table"),
        ("Copy a file from one disk to another", "copy_file path", "Copy file from one disk to another"),
        ("Close a ticket in the archive, never in the inbox", "close_ticket archive inbox",
         "Close ticket in archive, never in inbox"),
        ("Find shops by name or street", "find_shops query", "Find shops by name or street"),
        ("Send a letter to a customer; must be signed", "send_letter customer", "Send letter; must be signed"),
        ("Search for a book", "search_book", "Search for book"),
        ("Book rooms for a number of nights", "book_rooms nights", "Book rooms for number of nights"),
    ],
)  # fmt: skip
def test_a_tools_first_clause_ends_where_its_names_say_the_rest(text: str, told: str, short: str) -> None:
    """Phrases at its end that hold no word of their own go; rules, and the first two words, stay."""
    assert telegram_tool(text, told, BUDGET) == short


def test_a_tight_budget_keeps_the_shortest_rules_alone() -> None:
    """What doesn't fit goes as a whole: half a rule is worse than none."""
    assert telegram_argument("Size of the batch. Must be even.", "size", (), TIGHT) == "Must be even"
    assert telegram_argument("Must be even unless the batch is the last one of the day", "size", (), TIGHT) == ""


def test_clauses_are_weighed() -> None:
    """A rule before a form before plain text."""
    assert weight("must be set") == weight("no longer there") == weight("don't use") == RULE
    assert weight("in seconds") == weight("default 5") == weight("'a' or 'b'") == FORM
    assert weight("the colour of the house") == PLAIN


PIECES = st.one_of(
    st.sampled_from(["Use this tool when idle.", "It must be red.", "For example 'a', 'b2', 'c'.", "Nice word."]),
    st.sampled_from(["(e.g. ", "Note: ", " - ", "; ", "set to true, ", "which is ", "100 "]),
    st.sampled_from(["The ", "a ", "(min 1)", "path/to ", "'q', 'r', 's' ", "word " * 12, "é中文。"]),
    st.sampled_from(["\n- x ", "\n", "  ", "Head:\n", "```", ".", "A ", ")", "'"]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join), st.sampled_from(sorted(WORDINGS)))
def test_every_level_settles_and_no_tool_loses_its_description(text: str, level: str) -> None:
    """Never longer, a tool's never empty where it wasn't, and the same when done again."""
    wording = WORDINGS[level]
    short = wording.tool(text, "set_name name")
    assert len(short) <= len(text)
    assert bool(short.strip()) == bool(text.strip())
    assert wording.tool(short, "set_name name") == short
    argument = wording.argument(text, "set_name name", {"1"})
    assert len(argument) <= len(text)
    assert not argument or wording.argument(argument, "set_name name", {"1"}) == argument


SURVIVES = [
    ("Day of departure (ISO 8601 date, e.g. 2031-02-03), no earlier than today", "day", ["ISO 8601"]),
    ("Amount to refund, in cents", "amount", ["cents"]),
    ("How long to wait, in seconds", "wait", ["seconds"]),
    ("The file to read, as an absolute path", "file", ["absolute"]),
    ("The text to store; must be valid UTF-8", "text", ["must be valid UTF-8"]),
    ("Do not encode the content", "content", ["not encode"]),
    ("Never give a card's full number", "card", ["Never", "full number"]),
    ("Required when 'mode' is 'single'", "order", ["Required when 'mode' is 'single'"]),
    ("Cannot be combined with `cursor`", "page", ["Cannot be combined with `cursor`"]),
    ("Names of labels (comma-separated list)", "labels", ["comma-separated"]),
    ("Whether letters matter. Case-insensitive by default.", "letters", ["Case-insensitive"]),
    ("The time zone, as an IANA name", "zone", ["IANA"]),
    ("Mutually exclusive with 'before'", "after", ["Mutually exclusive with 'before'"]),
    ("Either a branch or a tag; defaults to `main`", "ref", ["defaults to `main`"]),
    ("Temperature to hold, in degrees Celsius", "heat", ["Celsius"]),
    ("Share to keep, between 0 (exclusive) and 1", "share", []),
    ("Number of a shelf, starts with S_", "shelf", ["starts with S_"]),
    ("What to write; null clears the field", "value", ["null clears field"]),
    ("Identifier; a book with it is replaced", "book", ["book with it is replaced"]),
    ("house/room", "where", ["house/room"]),
    ("open or shut", "state", ["open or shut"]),
    ("Only valid for archived orders", "orders", ["Only valid for archived orders"]),
    ("Release tag (e.g., 'v2.0.1')", "tag", ["'v2.0.1'"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "parts"), SURVIVES)
@pytest.mark.parametrize("level", ["strong", "bare"])
def test_constraints_survive_at_every_level(text: str, name: str, parts: list[str], level: str) -> None:
    """Formats, units, negations, conditions, defaults and exclusions are there even in the shortest wording."""
    said = WORDINGS[level].argument(text, f"{name} some_tool", ())  # type: ignore[index]
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Deletes a customer for good. This cannot be undone. Great for cleaning up.", ["Deletes", "cannot be undone"]),
        ("Send a letter. Must not be used for invoices!", ["Must not be used for invoices"]),
        ("Runs a query. DEPRECATED: use run_query instead.", ["DEPRECATED: use run_query instead"]),
        ("Overwrites the file without asking.", ["Overwrites", "without asking"]),
        ("Book a table. Only call it after the guest has confirmed.", ["Only call it after guest has confirmed"]),
        ("Merge the request. The branch is deleted afterwards.", ["branch is deleted afterwards"]),
        ("Upload a picture. Pictures are public to anyone with the link.", ["Pictures are public"]),
        ("Compact the database. Locks every table while it runs.", ["Locks every table"]),
        ("Share a folder. Needs the admin role.", ["Needs admin role"]),
        ("Invite a guest. Invitations go out at once.", ["Invitations go out at once"]),
        ("Closes the account; requires the admin role", ["requires admin role"]),
        ("Call the guest. Be careful!", ["Be careful"]),
        ("List the stays. Results over 10,000 rows are cut off without a warning.",
         ["Results over 10,000 rows are cut off without warning"]),
        ("Pay the porter. Payments that fall on weekends move to Monday.", ["Payments that fall on weekends move to"]),
        ("Text the guest. Texts longer than 160 characters are split into several.", ["longer than 160 characters"]),
        ("Invite a friend. People from outside join as guests.", ["People from outside join as guests"]),
        ("Wake the boiler. A running cycle is stopped first.", ["running cycle is stopped first"]),
        ("Convert money. On weekends Friday's rates apply.", ["On weekends Friday's rates apply"]),
        ("Ring the porter. Only ring if the guest has plainly asked for the porter, or if what the guest wants is "
         "nothing that the other tools of this house can bring about by themselves.",
         ["Only ring if guest has plainly asked for porter, or if what guest wants is nothing that other tools"]),
        ("Ask the guest. Use for: 1) Unclear wishes, 2) Wishes that cannot be met, 3) Fun. Always say why you ask.",
         ["Always say why you ask"]),
        ("End the stay. Use ONLY when: 1) The bill is paid, 2) The key is back. Never end it twice (or more).",
         ["ONLY when: 1) bill is paid, 2) key is back", "Never end it twice"]),
    ],
)  # fmt: skip
def test_side_effects_and_conditions_of_tools_survive(text: str, parts: list[str]) -> None:
    """What a call does beyond its name, and when it may be made, is said where few tools are sent."""
    said = WORDINGS["strong"].tool(text, "some_tool")
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(
    ("text", "told", "short"),
    [
        ("Per page (default: 20, max: 50)", "per_page list", "default: 20, max: 50"),
        ("Listed for guests (Q&A only)", "guests list", "Q&A only"),
        ("Sizes are ignored in this case", "sizes", "Sizes are ignored then"),
        ("Order name (person or firm)", "order name", ""),
        ("Maximum number of orders to return (max 200)", "limit list_orders", "max 200"),
        ("Maximum number of lines to return", "limit read_log", "Maximum number of lines to return"),
        ("Paging cursor for the next page of results", "cursor list_orders", ""),
        ("The name of the mark (without ::)", "mark", "without ::"),
        ("The colour, in particular for walls, must be set", "colour", "in particular for walls, must be set"),
    ],
)
def test_no_words_are_torn_apart(text: str, told: str, short: str) -> None:
    """What is shortened is still English: nothing is cut inside brackets, quotes and idioms."""
    assert telegram_argument(text, told, (), BUDGET) == short


@pytest.mark.parametrize(
    ("text", "name", "short"),
    [
        ("How bold the tune may be, ranging from 0.0 (calm) to 1.0 (wild)", "tune", "0.0 to 1.0"),
        ("Day on which the count is wanted. Valid values are from 1 to 31, as the month has it", "day", "1 to 31"),
        ("The spot to share with others, as a pair (e.g., '34.05, -118.24')", "spot", "e.g. '34.05, -118.24'"),
        ("The scale to be used for the heat (Celsius or Fahrenheit)", "scale", "Celsius or Fahrenheit"),
        ("Film format as told by the house, could be 'IMAX', '2D', '3D', '4DX' and so on", "film", ""),
        ("The day of the first change (ISO 8601 date or range)", "since", "ISO 8601 date"),
        ("Scale: 'c' for Celsius, 'f' for Fahrenheit, 'k' for Kelvin", "scale", ""),
        ("Share of the wall to paint, between 0 (exclusive) and 1", "share", ""),
        ("Relative (15m, 2h, 7d) or as a count (of days since the house was built)", "since", ""),
        ("Name of the column, prefix with - for the other direction", "sort", ""),
        ("The database on the server. If not provided, defaults to 'main'.", "database", "defaults to 'main'"),
    ],
)  # fmt: skip
def test_a_part_that_stands_for_the_whole_tells_no_untruth(text: str, name: str, short: str) -> None:
    """One of several values isn't all of them, a range has both its ends, and a quotation both its marks."""
    assert WORDINGS["bare"].argument(text, f"{name} some_tool", ()) == short
    assert WORDINGS["bare"].argument("If not provided, defaults to 'main'", f"{name} some_tool", ("main",)) == ""


def test_a_unit_that_the_tool_speaks_of_is_still_said_of_the_argument() -> None:
    """ "Blocked for ten minutes" doesn't tell what a duration is given in."""
    wording = WORDINGS["strong"]
    told = wording.told("book_room", "Book room; cancelled rooms stay blocked for 10 minutes")
    assert wording.argument("Duration in minutes; multiples of 15", f"duration {told}", ()).startswith(
        "Duration in min"
    )


def test_an_argument_keeps_commands_of_any_length() -> None:
    """A condition that holds for each call isn't dropped for its length; numbers of entries are no form."""
    text = (
        "Rooms to clean. Even if a room is not changed at all by this call, it should still be there in the list sent."
    )
    said = WORDINGS["strong"].argument(text, "rooms plan_cleaning", ())
    assert said == "Even if room isn't changed at all by call, it should still be there in list sent"
    assert WORDINGS["strong"].argument("Include: 1) who asks, 2) what for, 3) the day", "note", ()) != "2"


def test_lists_of_occasions_and_features_go() -> None:
    """When a tool is nice to have says nothing about how to call it; a command among the occasions stays."""
    text = (
        "Plan a trip.\n\nWhen to use this tool:\n- before a holiday\n- when it is raining\n- never for business\n\n"
        "Key features:\n- no limits\n\nDates must lie ahead."
    )
    assert WORDINGS["strong"].tool(text, "some_tool") == "Plan trip; never for business; Dates must lie ahead"
