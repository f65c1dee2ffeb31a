"""An agent's loop that is due for a cut at some prices of a provider's prompt cache and not yet at others."""

from __future__ import annotations

from typing import Any

ROWS, ROUNDS = 75, 8


def loop_of_calls(opening: str) -> list[dict[str, Any]]:
    """A task, and calls whose results take about 8,000 tokens in all."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": opening}]
    for number in range(ROUNDS):
        call = {"id": f"call_{number}", "type": "function", "function": {"name": "list_orders", "arguments": "{}"}}
        rows = "\n".join(
            f"order {number}-{row} at {17 * row % 911}: {'late' if row == 7 else 'in time'}" for row in range(ROWS)
        )
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"page {number}\n{rows}"})
    return messages
