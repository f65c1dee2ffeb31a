"""Tools of your own in a registry: a request gets those that it needs, and the model's calls are carried out."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import Any, Literal

from litellm_tokenopt import ToolRegistry


def convert_currency(amount: float, source: str, target: Literal["EUR", "USD", "JPY"]) -> str:
    """Convert an amount of money into another currency.

    Args:
        amount: How much, in the source currency.
        source: ISO 4217 code, such as EUR.
        target: What to convert into.
    """
    rates = {"EUR": 1.0, "USD": 1.1, "JPY": 160.0}
    return f"{amount / rates[source] * rates[target]:.2f} {target}"


async def book_table(restaurant: str, day: date, people: int = 2) -> dict[str, Any]:
    """Reserve a table in a restaurant."""
    return {"restaurant": restaurant, "day": day.isoformat(), "people": people}


SHOP = {
    "openapi": "3.0.3",
    "paths": {
        "/orders/{order_id}": {
            "get": {
                "operationId": "get_order",
                "summary": "Look up an order of the shop and its state.",
                "parameters": [{"name": "order_id", "in": "path", "required": True, "schema": {"type": "string"}}],
            }
        }
    },
}
MCP_TOOLS = [
    {
        "name": f"sensor_{place}",
        "description": f"Read the thermometer in the {place}.",
        "inputSchema": {"type": "object", "properties": {"hours": {"type": "integer"}}},
    }
    for place in ("cellar", "attic", "kitchen", "garage", "garden", "hall", "office", "workshop", "barn", "stable")
]


async def main() -> None:
    """Ask for the tools of one question, and do what a model would ask for."""
    registry = ToolRegistry({"tools": {"max_tools": 3, "min_tokens": 0}})
    registry.add(convert_currency, book_table)
    registry.add_openapi(SHOP, send=lambda call: f"{call.method} {call.path}")
    registry.add_mcp(MCP_TOOLS, handler=lambda name, arguments: f"{name}: 19 °C")

    messages = [{"role": "user", "content": "How much is 250 euros in yen?"}]
    tools = await registry.for_request(messages)  # litellm.acompletion(…, messages=messages, tools=tools or None)
    print(len(registry), "tools, sent:", *(tool["function"]["name"] for tool in tools))
    print("schemas built:", len(registry.built))

    print(await registry.call("convert_currency", json.dumps({"amount": 250, "source": "EUR", "target": "JPY"})))
    print(await registry.call("book_table", {"restaurant": "Alder", "day": "2031-02-03"}))
    print(await registry.call("get_order", {"order_id": "A/7"}))
    print(await registry.call("sensor_attic", {}))


if __name__ == "__main__":
    asyncio.run(main())
