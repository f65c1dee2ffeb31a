"""A client of LiteLLM's proxy: OpenAI's own, unchanged; response headers say what the plugin did.

Start the proxy first (see config/litellm_proxy.yaml), then::

    LITELLM_PROXY_URL=http://127.0.0.1:4000/v1 LITELLM_API_KEY=sk-… python examples/proxy_client.py
"""

from __future__ import annotations

import os

from openai import OpenAI

QUESTION = "In one sentence: what is a circuit breaker in software?"


def main() -> None:
    """Ask twice; the second answer comes from the cache."""
    client = OpenAI(base_url=os.environ["LITELLM_PROXY_URL"], api_key=os.environ["LITELLM_API_KEY"])
    for _ in range(2):
        raw = client.chat.completions.with_raw_response.create(
            model=os.environ.get("MODEL", "gpt-4o"), messages=[{"role": "user", "content": QUESTION}], user="example"
        )
        print(raw.parse().choices[0].message.content)
        for name, value in raw.headers.items():
            if name.startswith("x-tokenopt-"):
                print(f"  {name}: {value}")


if __name__ == "__main__":
    main()
