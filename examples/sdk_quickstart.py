"""The SDK with one more line: `enable`, then LiteLLM as always.

The model is a small recording server on this machine, so the script needs no key; leave `api_base` and `api_key`
out to ask the provider itself.
"""

from __future__ import annotations

import litellm

import litellm_tokenopt
from litellm_tokenopt.evaluation.model_server import ModelServer

QUESTIONS = ("What's the returns window for tents?", "What is the returns window for tents?")


def ask(question: str, server: ModelServer) -> litellm.ModelResponse:
    """One call, as any LiteLLM program makes it."""
    return litellm.completion(
        model="openai/gpt-4o",
        messages=[
            {"role": "system", "content": "You answer questions about an outdoor shop's policies."},
            {"role": "user", "content": question},
        ],
        api_base=server.base_url,
        api_key="none-needed",
    )


def main() -> None:
    """Ask twice, in other words; the second answer comes from the cache."""
    with ModelServer({QUESTIONS[0]: ["45 days, counted from the delivery scan."]}) as server:
        litellm_tokenopt.enable({"redis": {"url": "memory"}})
        try:
            for question in QUESTIONS:
                print(f"{question} → {ask(question, server).choices[0].message.content}")
        finally:
            litellm_tokenopt.disable()
        print(f"requests that reached the model: {len(server.recorded)}")


if __name__ == "__main__":
    main()
