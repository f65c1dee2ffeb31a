"""Without LiteLLM's hooks: ask the optimizer what to send, and tell it what the model said."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from litellm_tokenopt import TokenOptimizer
from litellm_tokenopt.evaluation.model_server import ModelServer

AGENT = Path(__file__).parent / "agent"


async def answer(optimizer: TokenOptimizer, client: AsyncOpenAI, request: dict[str, Any]) -> str:
    """The answer to *request*, from the cache or from the model."""
    outcome = await optimizer.before(request)
    if outcome is None:  # nothing that the optimizer reads: send it as it is
        return (await client.chat.completions.create(**request)).choices[0].message.content or ""
    print(f"{outcome.tokens_before:,} tokens → {outcome.tokens_after:,}")
    if outcome.reply is not None:
        return outcome.reply.text
    response = await client.chat.completions.create(**outcome.applied(request))
    await optimizer.after(outcome, response)
    return response.choices[0].message.content or ""


async def main() -> None:
    """A question with 70 tools and a long system prompt, asked twice."""
    request = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": (AGENT / "system_prompt.md").read_text(encoding="utf-8")},
            {"role": "user", "content": "What's the returns window for tents?"},
        ],
        "tools": json.loads((AGENT / "tools.json").read_text(encoding="utf-8")),
    }
    with ModelServer() as server:
        settings = {"redis": {"url": "memory"}, "time_budget_seconds": 60}
        client = AsyncOpenAI(base_url=server.base_url, api_key="none-needed")
        async with TokenOptimizer(settings) as optimizer, client:
            for _ in range(2):
                print(await answer(optimizer, client, request))


if __name__ == "__main__":
    asyncio.run(main())
