"""Forty tools of a small company's assistant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.vectors import HashedWords

from litellm_tokenopt.request import ChatRequest, Tool
from litellm_tokenopt.settings import ToolsSettings
from litellm_tokenopt.tools import ToolsStage

CATALOGUE = {
    "get_weather": ("Current weather and forecast for a place.", ("city", "days")),
    "convert_currency": ("Convert an amount of money from one currency into another.", ("amount", "source", "target")),
    "send_email": ("Send an e-mail message to one or more recipients.", ("to", "subject", "body")),
    "search_inbox": ("Search received e-mail messages by sender, subject or text.", ("query",)),
    "create_calendar_event": ("Put a meeting into the calendar.", ("title", "start", "end")),
    "list_calendar_events": ("List the meetings of a day.", ("date",)),
    "cancel_calendar_event": ("Remove a meeting from the calendar.", ("event_id",)),
    "book_flight": ("Book a flight between two airports.", ("origin", "destination", "date")),
    "search_flights": ("Find flights between two airports.", ("origin", "destination", "date")),
    "book_hotel": ("Reserve a hotel room in a city.", ("city", "check_in", "nights")),
    "rent_car": ("Rent a car at an airport or station.", ("place", "days")),
    "query_database": ("Run a read-only SQL query on the warehouse.", ("sql",)),
    "plot_chart": ("Draw a bar or line chart from a table.", ("table", "kind")),
    "read_file": ("Read the content of a file.", ("path",)),
    "write_file": ("Write text into a file, replacing what it held.", ("path", "text")),
    "run_command": ("Execute a shell command in the terminal.", ("command",)),
    "web_search": ("Search the web for pages about a topic.", ("query",)),
    "open_page": ("Open a web page and return its text.", ("url",)),
    "translate_text": ("Translate text from one language to another.", ("text", "language")),
    "summarise_document": ("Summarise a long document in a few sentences.", ("document_id",)),
    "create_invoice": ("Create an invoice for a customer.", ("customer_id", "lines")),
    "send_reminder": ("Remind a customer of an unpaid invoice.", ("invoice_id",)),
    "refund_payment": ("Refund a payment to the customer's card.", ("payment_id",)),
    "get_customer": ("Look up a customer by number or name.", ("customer",)),
    "update_address": ("Change the postal address of a customer.", ("customer_id", "address")),
    "track_parcel": ("Track where a parcel is.", ("tracking_number",)),
    "order_stock": ("Order goods from a supplier.", ("article", "quantity")),
    "check_stock": ("How many pieces of an article are in the warehouse.", ("article",)),
    "open_ticket": ("Open a support ticket.", ("title", "severity")),
    "close_ticket": ("Close a support ticket.", ("ticket_id",)),
    "restart_service": ("Restart a running service on the servers.", ("service",)),
    "read_logs": ("Read the latest log lines of a service.", ("service", "minutes")),
    "deploy_release": ("Deploy a release to production.", ("version",)),
    "generate_image": ("Generate a picture from a description.", ("prompt",)),
    "transcribe_audio": ("Turn a sound recording into text.", ("file",)),
    "play_music": ("Play a song or album.", ("title",)),
    "set_alarm": ("Set an alarm clock.", ("time",)),
    "book_table": ("Reserve a table in a restaurant.", ("restaurant", "people", "time")),
    "order_taxi": ("Order a taxi to an address.", ("address",)),
    "calculate": ("Work out an arithmetic expression.", ("expression",)),
}


def tool(name: str, description: str = "", arguments: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """A function tool with string arguments."""
    properties = {argument: {"type": "string", "title": argument.title()} for argument in arguments}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters, **more},
    }


@pytest.fixture(scope="session")
def catalogue() -> tuple[Tool, ...]:
    return tuple(tool(name, *rest) for name, rest in CATALOGUE.items())


@pytest.fixture(scope="session")
def make_tool() -> Callable[..., dict[str, Any]]:
    return tool


@pytest.fixture
def embedder() -> HashedWords:
    return HashedWords()


@pytest.fixture(scope="session")
def make_stage() -> Callable[..., ToolsStage]:
    """A stage that sends six tools, unless told otherwise."""

    def make(embedder: Any = None, patience_seconds: float | None = None, **settings: object) -> ToolsStage:
        chosen = ToolsSettings.model_validate({"max_tools": 6, **settings})
        return ToolsStage(chosen, embedder or HashedWords(), patience_seconds=patience_seconds)

    return make


@pytest.fixture(scope="session")
def sent() -> Callable[..., Any]:
    """What a stage sends on, as (request, names of its tools)."""

    async def send(stage: ToolsStage, request: ChatRequest) -> tuple[ChatRequest, list[str]]:
        verdict = await stage(request)
        after = getattr(verdict, "request", request)
        return after, [tool["function"]["name"] for tool in after.tools if "function" in tool]

    return send
