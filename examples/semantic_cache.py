"""The answer cache by itself, without LiteLLM: look up, store, take out, count."""

from __future__ import annotations

import asyncio

import litellm_tokenopt

ASKED = (
    "How do I reset my password?",
    "How can I reset my password?",
    "How do I reset my router?",
)


async def main() -> None:
    """One answer is stored; a question in other words gets it, one that only looks alike doesn't."""
    async with litellm_tokenopt.open_cache({"redis": {"url": "memory"}}) as cache:
        await cache.store(ASKED[0], "Open Settings, then Security.", scope="shop", tags=["help-v1"], model="gpt-4o")
        for question in ASKED:
            found = await cache.check(question, scope="shop")
            print(f"{question} → {found.entry.text if found.entry else 'no answer'} ({found.reason})")
        print(f"other scope: {(await cache.check(ASKED[0], scope='another shop')).reason}")
        print(f"reachable: {(await cache.health())['reachable']}, entries: {(await cache.stats()).entries}")
        print(f"removed: {await cache.invalidate(tag='help-v1')}, left: {(await cache.stats()).entries}")
    try:
        await cache.stats()
    except litellm_tokenopt.UnavailableError as error:
        print(error)


if __name__ == "__main__":
    asyncio.run(main())
