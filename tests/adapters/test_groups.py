"""Behind a Router's names stand deployments, and their prices hold."""

from __future__ import annotations

import itertools
from typing import Any

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger
from support.loops import loop_of_calls

from litellm_tokenopt.adapters.groups import priced_as
from litellm_tokenopt.adapters.pricing import cache_rates
from litellm_tokenopt.savings import CacheRates, most_careful

GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude-sonnet-4-5"
OWN = {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 2e-7}


def deployment(group: str, model: str, info: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    given = {"model": model, "api_key": "none", "mock_response": "Done.", **params}
    return {"model_name": group, "litellm_params": given, "model_info": info or {}}


GROUPS = {
    "alike": [(GPT,), ("openai/gpt-4o-mini",)],
    "mixed": [(GPT,), (CLAUDE,)],
    "renamed": [("azure/eu-1", {"base_model": "azure/gpt-4o"})],
    "priced by hand": [("openai/mine", OWN)],
    "unknown": [("openai/nobody-knows-this",)],
    "half known": [(GPT,), ("openai/nobody-knows-this",)],
    "gpt-4o": [("openai/nobody-knows-this",)],
}


def router(groups: dict[str, Any] = GROUPS, **more: Any) -> litellm.Router:
    rows = [deployment(name, *one, api_base="http://127.0.0.1:1") for name, some in groups.items() for one in some]
    return litellm.Router(model_list=rows, **more)


class Heard(CustomLogger):
    """What the hook is told of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.kwargs: list[dict[str, Any]] = []

    async def async_pre_call_deployment_hook(self, kwargs, call_type):
        self.kwargs.append(kwargs)


@pytest.fixture
def heard():
    heard = Heard()
    litellm.callbacks.append(heard)
    yield heard
    litellm.callbacks.remove(heard)


def rates_of(kwargs: dict[str, Any]) -> CacheRates:
    return most_careful(map(cache_rates, priced_as(kwargs)))


@pytest.mark.parametrize(
    ("group", "rates"),
    [
        ("alike", (0.5, 1.0)),
        ("another name", (0.5, 1.0)),
        ("mixed", (0.1, 1.25)),
        ("renamed", (0.5, 1.0)),
        ("priced by hand", (0.2, 1.0)),
        ("unknown", (0.1, 1.25)),
        ("half known", (0.1, 1.25)),
        ("gpt-4o", (0.5, 1.0)),
    ],
)
def test_a_groups_rates_are_those_of_its_deployments(group, rates, heard, loop):
    """The most careful of them, whichever deployment is picked, and whatever another Router calls by that name."""
    ours, _ = router(model_group_alias={"another name": "alike"}), router({group: [("openai/gpt-4.1",)]})
    asked = {"model": group, "messages": [{"role": "user", "content": "What is late?"}]}
    for _ in range(6):
        loop.run(ours.acompletion(**asked))
    found = {priced_as(kwargs) for kwargs in heard.kwargs}
    assert len(found) == 1
    told = rates_of(heard.kwargs[0])
    assert (told.read, told.write) == pytest.approx(rates)


def test_without_a_router_the_models_own_name_is_priced(heard, loop):
    """Another's group of the same name changes nothing, nor does what a caller writes into the metadata."""
    kept = router({GPT: [(CLAUDE,)]})
    asked = {"model": GPT, "messages": [{"role": "user", "content": "Hi"}], "mock_response": "x", "api_key": "none"}
    loop.run(litellm.acompletion(**asked))
    loop.run(litellm.acompletion(**asked, metadata={"model_group": GPT, "model_info": {"id": "made-up"}}))
    assert [priced_as(kwargs) for kwargs in heard.kwargs] == [(), ()]
    assert kept.get_model_list(GPT)


def test_by_the_most_careful_rates_sending_anew_pays_by_all():
    """Their order doesn't matter."""
    some = [
        CacheRates(),
        CacheRates(read=0.5, write=1.0),
        CacheRates(read=0.25, write=1.0),
        CacheRates(read=1, write=1),
    ]
    for rates in itertools.permutations(some):
        chosen = most_careful(rates)
        assert chosen == CacheRates()
        for carried, anew in itertools.product(range(0, 200, 7), range(0, 30, 3)):
            if chosen.read * carried >= chosen.rewrite * anew:
                assert all(one.read * carried >= one.rewrite * anew for one in rates)


@pytest.mark.parametrize("sync", [False, True])
def test_a_groups_conversation_is_cut_as_its_models_is(sync, server, loop, switch_on):
    """By a name that LiteLLM doesn't know, in the async hook and in the sync interposer."""
    switch_on(cache={"enabled": False})
    given = {"messages": loop_of_calls("Find what is late.")}
    place = {"api_base": server.base_url, "api_key": "none"}
    known, other = ("openai/gpt-4o", "openai/gpt-4o-mini"), ("openai/gpt-4o", "openai/nobody-knows-this")
    rows = [(name, model) for name, models in (("agent", known), ("other", other)) for model in models]
    ours = litellm.Router(model_list=[{"model_name": n, "litellm_params": {"model": m, **place}} for n, m in rows])

    def sent(ask, **more):
        ask(**given, **more) if sync else loop.run(ask(**given, **more))
        return server.bodies[-1]["messages"]

    direct, routed = (litellm.completion, ours.completion) if sync else (litellm.acompletion, ours.acompletion)
    cut = sent(direct, model="openai/gpt-4o", **place)
    assert len(str(cut)) < 0.8 * len(str(given["messages"]))
    assert sent(routed, model="agent") == cut
    assert len(str(sent(routed, model="other"))) > 1.2 * len(str(cut))
