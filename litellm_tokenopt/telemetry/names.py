"""The names that traces and metrics carry.

``gen_ai.*`` and ``error.type`` are OpenTelemetry's semantic conventions; ``tokenopt.*`` is ours. Metric attributes
are of low cardinality: a stage, a surface, a mode, one of few words, and a capped set of models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SCOPE: Final = "litellm_tokenopt"
"""The instrumentation scope of every span and metric."""

SPAN_OPTIMIZE: Final = "tokenopt.optimize"
SPAN_REPLY: Final = "tokenopt.reply"
SPAN_ASKED: Final = "tokenopt.asked"
SPAN_STAGE_PREFIX: Final = "tokenopt.stage."
DETAIL_PREFIX: Final = "tokenopt.detail."

OPERATION: Final = "gen_ai.operation.name"
MODEL: Final = "gen_ai.request.model"
ERROR_TYPE: Final = "error.type"

SURFACE: Final = "tokenopt.surface"
MODE: Final = "tokenopt.mode"
EXPERIMENT: Final = "tokenopt.experiment"
ARM: Final = "tokenopt.arm"
SESSION: Final = "tokenopt.session"
OUTCOME: Final = "tokenopt.outcome"
STAGE: Final = "tokenopt.stage"
VERDICT: Final = "tokenopt.verdict"
REASON: Final = "tokenopt.reason"
SECONDS: Final = "tokenopt.seconds"
USD: Final = "tokenopt.usd"
TOKENS_BEFORE: Final = "tokenopt.tokens.before"
TOKENS_AFTER: Final = "tokenopt.tokens.after"
TOKENS_SAVED: Final = "tokenopt.tokens.saved"
CACHE_HIT: Final = "tokenopt.cache.hit"
CACHE_RESULT: Final = "tokenopt.cache.result"
CACHE_SIMILARITY: Final = "tokenopt.cache.similarity"
POINT: Final = "tokenopt.point"
TOOL: Final = "gen_ai.tool.name"
USE: Final = "tokenopt.tool.use"
CHECK: Final = "tokenopt.check"
BOUND: Final = "tokenopt.bound"
LEVEL: Final = "tokenopt.level"

METRIC_ATTRIBUTES: Final = frozenset(
    {
        MODEL,
        SURFACE,
        MODE,
        ARM,
        OUTCOME,
        STAGE,
        VERDICT,
        REASON,
        CACHE_RESULT,
        ERROR_TYPE,
        POINT,
        TOOL,
        USE,
        CHECK,
        BOUND,
        LEVEL,
    }
)
"""Every attribute that a metric may carry."""

OTHER: Final = "other"
"""Stands for the values beyond those that a metric attribute keeps apart."""

SECOND_BUCKETS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
SHARE_BUCKETS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
TOKEN_BUCKETS: Final = (0.0, *(float(2**power) for power in range(8, 21)))
"""0, then 256 to 1,048,576 in doublings."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's name, kind, unit (UCUM) and meaning; `buckets` are a histogram's upper bounds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    description: str
    buckets: tuple[float, ...] = ()


REQUESTS: Final = Metric("tokenopt.requests", "counter", "{request}", "Requests seen, by what became of them.")
BEFORE: Final = Metric("tokenopt.tokens.before", "counter", "{token}", "Input tokens as they came in.")
AFTER: Final = Metric("tokenopt.tokens.after", "counter", "{token}", "Input tokens as they are sent on.")
SAVED: Final = Metric("tokenopt.tokens.saved", "counter", "{token}", "Input tokens saved.")
STAGE_BEFORE: Final = Metric("tokenopt.stage.tokens.before", "counter", "{token}", "Input tokens before each stage.")
STAGE_AFTER: Final = Metric("tokenopt.stage.tokens.after", "counter", "{token}", "Input tokens after each stage.")
STAGE_SAVED: Final = Metric("tokenopt.stage.tokens.saved", "counter", "{token}", "Input tokens saved by each stage.")
CACHE_REQUESTS: Final = Metric("tokenopt.cache.requests", "counter", "{request}", "Cache look-ups, by result.")
CACHE_STORES: Final = Metric(
    "tokenopt.cache.stores", "counter", "{reply}", "Replies of models, by whether they were stored, and why not."
)
SHADOW_CHECKS: Final = Metric(
    "tokenopt.cache.shadow_checks", "counter", "{check}", "Hits that the model was asked about too, by what it came to."
)
SECOND_OPINIONS: Final = Metric(
    "tokenopt.cache.opinions",
    "counter",
    "{opinion}",
    "Verdicts of the judge, and reports of people, on cached answers.",
)
CHECK_TOKENS: Final = Metric(
    "tokenopt.cache.check.tokens", "counter", "{token}", "Tokens of the calls that check the cache, in and out."
)
WRONG_RATE: Final = Metric(
    "tokenopt.cache.wrong_rate", "gauge", "", "Share of the checked hits that were wrong, and its 95 % interval."
)
TIGHTENING: Final = Metric(
    "tokenopt.cache.tightening", "gauge", "", "Log-odds of confidence asked of hits beyond the calibrated line."
)
SAVED_COST: Final = Metric(
    "tokenopt.saved.cost", "counter", "{USD}", "US dollars that answers from the cache saved, at list prices."
)
SAVED_TIME: Final = Metric(
    "tokenopt.saved.time", "counter", "s", "Time of models that answers from the cache saved, their own time taken off."
)
SAVED_OUTPUT: Final = Metric(
    "tokenopt.saved.output_tokens", "counter", "{token}", "Output tokens that answers from the cache saved."
)
ERRORS: Final = Metric("tokenopt.errors", "counter", "{error}", "Errors that requests passed on in spite of.")
ASKED: Final = Metric(
    "tokenopt.asked", "counter", "{call}", "Calls by which the model asked for what was left out: answered, or dropped."
)
OFFERED: Final = Metric(
    "tokenopt.offered", "counter", "{request}", "Requests whose model may ask for what was left out, by tool."
)
TOOLS: Final = Metric(
    "tokenopt.tools",
    "counter",
    "{tool}",
    "What became of tools: chosen, called, found later, failed; once a session or call.",
)
REQUEST_TOKENS: Final = Metric(
    "tokenopt.request.tokens", "histogram", "{token}", "Input tokens of one request.", TOKEN_BUCKETS
)
DURATION: Final = Metric(
    "tokenopt.duration", "histogram", "s", "Time that all stages of a request took.", SECOND_BUCKETS
)
STAGE_DURATION: Final = Metric(
    "tokenopt.stage.duration", "histogram", "s", "Time that one stage took on one request.", SECOND_BUCKETS
)
COMPRESSIONS: Final = Metric(
    "tokenopt.compressions", "counter", "{passage}", "Passages of prompts to compress: taken, or refused (left whole)."
)
BEYOND: Final = Metric(
    "tokenopt.prompt.beyond", "counter", "{token}", "Tokens that rules of prompts take beyond prompt.budget_tokens."
)
KEPT: Final = Metric(
    "tokenopt.compression.kept",
    "histogram",
    "",
    "Least share of facts that a passage of a request kept.",
    SHARE_BUCKETS,
)
CONTEXT_TOKENS: Final = Metric(
    "tokenopt.context.tokens",
    "histogram",
    "{token}",
    "Input tokens of one request before and after its conversation is shortened.",
    TOKEN_BUCKETS,
)
CONTEXT_REQUESTS: Final = Metric(
    "tokenopt.context.requests",
    "counter",
    "{request}",
    "Requests by what becomes of their conversation; each that is cut begins an epoch.",
)
CONTEXT_LEVELS: Final = Metric(
    "tokenopt.context.levels",
    "counter",
    "{message}",
    "Messages by their level (critical, important, background), as an epoch comes upon them.",
)
CONTEXT_MESSAGES: Final = Metric(
    "tokenopt.context.messages",
    "counter",
    "{message}",
    "Messages of requests that are cut, or condensed, and passages that are brought back.",
)
SUMMARIES: Final = Metric(
    "tokenopt.context.summaries", "counter", "{summary}", "Summaries that a model was asked for: made, refused, failed."
)
SUMMARY_TOKENS: Final = Metric(
    "tokenopt.context.summary.tokens", "counter", "{token}", "Tokens of the calls that make summaries, in and out."
)
CONTEXT_MEMORY: Final = Metric(
    "tokenopt.context.memory", "gauge", "By", "About so much memory holds conversations that go on."
)
REDIS_UP: Final = Metric("tokenopt.redis.up", "gauge", "", "1 while Redis answers, 0 while it is left alone.")

METRICS: Final = (
    REQUESTS, BEFORE, AFTER, SAVED, STAGE_BEFORE, STAGE_AFTER, STAGE_SAVED, CACHE_REQUESTS, CACHE_STORES,
    SHADOW_CHECKS, SECOND_OPINIONS, CHECK_TOKENS, WRONG_RATE, TIGHTENING, SAVED_COST, SAVED_TIME, SAVED_OUTPUT, ERRORS,
    ASKED, OFFERED, TOOLS, REQUEST_TOKENS, DURATION, STAGE_DURATION, REDIS_UP, COMPRESSIONS, BEYOND, KEPT,
    CONTEXT_TOKENS, CONTEXT_REQUESTS, CONTEXT_LEVELS, CONTEXT_MESSAGES, SUMMARIES, SUMMARY_TOKENS, CONTEXT_MEMORY,
)  # fmt: skip
