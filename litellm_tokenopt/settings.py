"""Every setting, frozen and checked; the only reader of configuration files and environment variables.

Settings come from a mapping (`enable({...})`, the proxy's ``callback_settings``), a YAML file, and environment
variables ``TOKENOPT_<STAGE>__<FIELD>`` (``TOKENOPT_REDIS__URL=embedded``), which win. A value
``os.environ/NAME`` stands for the environment variable NAME, as in LiteLLM's own files.
"""

from __future__ import annotations

import base64
import difflib
import importlib.util
import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from .addresses import read_address
from .errors import SettingsError
from .modules import PromptModule, read_modules
from .taxonomy import read_taxonomy

ENV_PREFIX = "TOKENOPT_"
NO_SETTINGS = frozenset({"TOKENOPT_EMBEDDED_DIR"})
"""Environment variables of the prefix that are read elsewhere."""
SHOWN_CHARACTERS = 100
REDIS_URLS = (
    "allowed: auto, embedded, memory, redis://HOST[:PORT]…, rediss://HOST[:PORT]…, unix://PATH, "
    "redis+cluster://HOST:PORT[,HOST:PORT…] or redis+sentinel://HOST:PORT[,HOST:PORT…]/SERVICE"
)

logger = logging.getLogger(__name__)

Place: TypeAlias = tuple[str, ...]
"""Where a setting stands: its section and its name."""

Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
SchemaLevel: TypeAlias = Literal["full", "lossless", "light", "strong", "bare"]
PromptLevel: TypeAlias = Literal["light", "normal", "strong"]
Seconds: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _taxonomy_file(path: str) -> str:
    try:
        read_taxonomy(path)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return path


def _prompt_modules(value: Any) -> Any:
    """The modules of a list, or of a file, whose path is given: read once, so that no request sees half a change."""
    if not isinstance(value, (str, list, tuple)):
        raise ValueError("the path of a YAML file is allowed, or a list of modules")
    try:
        return read_modules(value)
    except SettingsError as error:
        raise ValueError(str(error)) from None


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=False)


def _redis_url(url: str) -> str:
    if url in ("auto", "embedded", "memory"):
        return url
    try:
        read_address(url)
    except ValueError:
        # What was wrong is not said: it may quote a password.
        raise ValueError(REDIS_URLS) from None
    return url


def _fernet_key(key: SecretStr) -> SecretStr:
    """*key* if it's one: 32 bytes in URL-safe base64, and the package that uses it is there."""
    try:
        size = len(base64.urlsafe_b64decode(key.get_secret_value()))
    except ValueError:
        size = 0
    if size != 32:
        raise ValueError(
            "allowed: 32 random bytes in URL-safe base64, as `python -c 'import base64, os; "
            "print(base64.urlsafe_b64encode(os.urandom(32)).decode())'` makes them"
        )
    if importlib.util.find_spec("cryptography") is None:
        raise ValueError("it needs a package: pip install 'litellm-tokenopt[encryption]'")
    return key


class RedisSettings(_Section):
    """Where answers and embeddings are kept."""

    url: Annotated[str, AfterValidator(_redis_url)] = Field(
        "auto",
        description="auto (embedded where its server is installed, else memory) | embedded | memory | redis://… "
        "| rediss://… | unix://… | redis+cluster://HOST:PORT,… | redis+sentinel://HOST:PORT,…/SERVICE (rediss+… with "
        "TLS).",
    )
    prefix: str = Field("tokenopt", pattern=r"^[A-Za-z0-9_.-]+$", description="Begins every key and index name.")
    timeout_seconds: Seconds = Field(0.5, description="For one command; beyond it the request goes on without Redis.")
    connect_timeout_seconds: Seconds = Field(1.0, description="For opening a connection.")
    max_connections: Count = Field(32, description="Connections of the pool, per process.")
    breaker_failures: Count = Field(5, description="Failures in a row after which Redis is left alone for a while.")
    breaker_seconds: Seconds = Field(10.0, description="How long Redis is left alone then.")
    embedded_max_memory_mb: Count = Field(
        256, description="Memory of the embedded server; least used entries go first."
    )


class EmbedderSettings(_Section):
    """What turns text into vectors."""

    model: str = Field(
        "all-MiniLM-L6-v2",
        min_length=1,
        description="all-MiniLM-L6-v2 (packaged), a sentence-transformers name or folder, or LiteLLM's model name.",
    )
    backend: Literal["auto", "onnx", "sentence-transformers", "litellm"] = Field(
        "auto", description="auto: onnx for what can be exported, else sentence-transformers."
    )
    cache_dir: str | None = Field(None, description="Where exported models are kept; default: the user's cache folder.")
    memo_entries: Count = Field(20_000, description="Vectors kept in process, by content.")
    threads: Count = Field(2, description="Texts embedded at once.")


class ClassTtls(_Section):
    """Seconds that answers are kept, by what kind of question they answer; 0: never."""

    stable: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Questions whose answer may be given again; unset: ttl_seconds."
    )
    time_bound: Annotated[int, Field(ge=0)] = Field(
        0, description="Whose answer changes by itself: weather, prices, news, who holds an office."
    )
    personal: Annotated[int, Field(ge=0)] = Field(
        0, description="About the caller's own affairs or this conversation; above 0 only where share is user, and "
        "the history is the very same."
    )  # fmt: skip
    creative: Annotated[int, Field(ge=0)] = Field(0, description="Poems, jokes, names, ideas.")
    random: Annotated[int, Field(ge=0)] = Field(0, description="Dice, random picks, passwords.")


class CacheSettings(_Section):
    """Answers to repeated questions."""

    enabled: bool = True
    threshold: Fraction = Field(
        0.85, description="Least cosine similarity of two questions that share an answer; less where all words agree."
    )
    ttl_seconds: Annotated[int, Field(ge=1)] = Field(86_400, description="How long an answer is kept.")
    ttl_by_class: ClassTtls = ClassTtls()
    max_temperature: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="Requests above this temperature are neither answered nor stored; one that names none has 1. "
        "Unset: any may be.",
    )
    max_wrong_rate: Fraction = Field(
        0.01,
        description="Share of look-alike questions that may get a wrong answer, as calibrated on questions of other "
        "origin; 0 serves literal repeats alone.",
    )
    verifier: Literal["auto", "rules"] = Field(
        "auto", description="auto: rules and a trained model compare similar questions | rules: rules alone."
    )
    shadow_fraction: Fraction = Field(
        0.0,
        description="Share of the hits for similar questions that are checked: the model is asked too, in the "
        "background, and the answers are compared. How often the cache is wrong is measured so, and what is learned "
        "makes it stricter or looser. Costs a model call for each.",
    )
    judge_model: str | None = Field(
        None,
        description="A model (LiteLLM's name, or one of the proxy's list) that is asked, in the background, whether "
        "questions that were refused by a narrow margin ask the same, and whether checked answers say the same.",
    )
    checks_per_minute: Count = Field(60, description="At most so many background calls of models, per process.")
    share: Literal["key", "team", "user", "global"] = Field(
        "user",
        description="Who may share answers: one team, API key or end user (user), or everybody (global). Where a "
        "request has no team, its key counts; where it has no key, its user. What callers write into metadata must "
        "be equal too, unless global; names of traces, sessions, times and tags aside.",
    )
    ignore_metadata: tuple[str, ...] = Field(
        (), description="More names in callers' metadata, or of headers, that don't change answers."
    )
    conversations: Literal["exact", "matched"] = Field(
        "matched",
        description="Which conversations may share answers: the very same alone (exact), or also those that come to "
        "the same question in the same situation, or to one that stands alone (matched).",
    )
    single_flight_seconds: Annotated[float, Field(ge=0)] = Field(
        30.0,
        description="Of identical requests at once, one goes to the model; the others wait for its answer, at most so "
        "long, and then go on themselves. 0: each goes by itself.",
    )
    max_entries: Count | None = Field(
        None,
        description="About so many answers are kept in Redis at most, the newest. Unset: as many as the server holds, "
        "which has to let some go by itself (maxmemory-policy allkeys-lru), as the embedded one does.",
    )
    max_entries_in_process: Count = Field(2_000, description="Answers kept in process, beside Redis.")
    max_answer_bytes: Count = Field(262_144, description="Longer answers are not stored.")
    index: Literal["auto", "flat", "hnsw"] = Field(
        "auto",
        description="The vector index in Redis: flat (exact) | hnsw (approximate, faster when large) | auto (flat; "
        "hnsw once there are more than 8,000 answers).",
    )
    encryption_key: Annotated[SecretStr, AfterValidator(_fernet_key)] | None = Field(
        None,
        description="A Fernet key (os.environ/NAME): questions and answers are encrypted in Redis. Vectors, which tell "
        "what a question is about, tenants, tags and models stay readable. An answer under another key is "
        "a miss, and stays.",
    )


class ToolsSettings(_Section):
    """Which tools are sent, and how large."""

    enabled: bool = True
    max_tools: Count = Field(10, description="At most so many tools a request, protected ones aside.")
    always_include: tuple[str, ...] = Field((), description="Names of tools that are always sent.")
    min_tokens: Annotated[int, Field(ge=0)] = Field(
        500,
        description="Blocks of at most max_tools tools under this size keep all that constrains a call, word for word.",
    )
    whole_up_to: Annotated[int, Field(ge=0)] = Field(
        20,
        description="Blocks of at most so many tools (and at most twice max_tools) are sent whole behind an agent's "
        "system prompt, where that costs less over a session than a change of its tools; 0: never.",
    )
    intents: Annotated[str, AfterValidator(_taxonomy_file)] | None = Field(
        None,
        description="Your own kinds of tasks for `tokenopt classify`, as in config/intents.yaml; default: those.",
    )
    search: Literal["own", "provider", "off"] = Field(
        "own",
        description="How the model may ask for tools left out: own (tokenopt_find_tools, answered here) | provider "
        "(its own tool search, where LiteLLM says the model has one: left-out tools are sent marked defer_loading, and "
        "replies hold the provider's search blocks; elsewhere own) | off.",
    )
    schema_level: SchemaLevel | Literal["auto"] = Field(
        "auto",
        description="How short schemas are said; they accept the same at every level. full: as they came | lossless: "
        "annotations that say nothing go | light: sentences that constrain nothing go too | strong: telegram style, "
        "and no description that names and types make needless | bare: a clause a tool, and only the shortest rules "
        "and formats of arguments | auto: light for a block under min_tokens, strong where at most 10 tools may be "
        "chosen, else bare.",
    )
    schema_levels: Mapping[str, SchemaLevel] = Field(
        {}, description="Levels for single tools, by name ({refund_payment: full})."
    )
    lessons: Annotated[int, Field(ge=1)] | Literal["latest", "off"] = Field(
        "latest",
        description="What was learned from the use of tools: the newest (latest), one version (a number), or nothing, "
        "and use isn't counted either (off). Needs Redis.",
    )
    publish_hours: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        24.0,
        description="Lessons are published by themselves, by one worker, at most every so many hours, and only where "
        "they changed; a session goes by those of its first turn. 0: by `tokenopt tools publish` alone.",
    )
    canary_fraction: Fraction = Field(
        0.02,
        description="Share of sessions that get full schemas, where use is counted: a tool whose calls fail more often "
        "with its short schema gets its full one in the next lessons.",
    )


class PassageRatios(_Section):
    """What passages of a kind are compressed to."""

    rules: Fraction = Field(1.0, description="Where half the sentences say what must or must not be done.")
    reference: Fraction = Field(0.7, description="All else.")
    examples: Fraction = Field(0.5, description="Where a third of the sentences begin an example.")


class PromptSettings(_Section):
    """Which sections of the system prompt are sent."""

    enabled: bool = True
    budget_tokens: Count = Field(5_000, description="Aim for the system prompt's size.")
    min_tokens: Annotated[int, Field(ge=0)] = Field(1_500, description="Shorter prompts are left alone.")
    always_include: tuple[str, ...] = Field((), description="Headings (or parts of them) of sections that always stay.")
    modules: Annotated[tuple[PromptModule, ...], BeforeValidator(_prompt_modules)] = Field(
        (),
        description="Your own modules: a YAML file, as `tokenopt prompt split` writes it, or a list. Where a system "
        "prompt holds a module's text, the module says when that is sent.",
    )
    level: PromptLevel = Field(
        "normal",
        description="What is taken for needless. light: word-for-word repeats, rulers, blank lines | normal: "
        "instructions repeated in nearly the same words, decorative emoji, a section's examples beyond the third | "
        "strong: examples beyond the first, bold print.",
    )
    compressor: Literal["auto", "extractive", "tokens", "llmlingua"] = Field(
        "auto",
        description="Of passages in <squeeze ratio=0.5>…</squeeze>: auto (sentences for a question, else important "
        "words) | extractive (sentences) | tokens (words) | llmlingua.",
    )
    llmlingua_model: str | None = Field(
        None, description="A folder or a hub's name; a token classifier (LLMLingua-2) or a causal model."
    )
    min_quality: Fraction = Field(
        0.7,
        description="Least share of a passage's numbers, names, identifiers and rules that is left, else it stays "
        "whole. Where the question has words of the passage, only the sentences with most of them count, and strict "
        "rules.",
    )
    ratios: PassageRatios = Field(
        PassageRatios(), description="Shares of their tokens for passages in <squeeze> without a ratio, by kind."
    )

    @model_validator(mode="after")
    def _has_model(self) -> Self:
        if self.compressor == "llmlingua" and not self.llmlingua_model:
            raise ValueError("compressor llmlingua needs prompt.llmlingua_model, a local folder or a hub's name")
        return self


class ContextSettings(_Section):
    """How much of a long conversation is sent."""

    enabled: bool = True
    budget_tokens: Count = Field(5_000, description="Aim for the history's size, the last user turn aside.")
    high_water: Annotated[float, Field(ge=1, le=10)] = Field(
        1.5,
        description="Beyond budget_tokens times this history is cut anew, once that pays by the model's cache prices.",
    )
    steps: tuple[Count, ...] = Field(
        (4_000, 5_500, 7_000),
        description="When so many tokens of history are sent, old results of tools are shortened where they stand: "
        "those that matter least at the first number, important ones too at the second, all at the third; at each only "
        "once that saves more than sending the rest anew costs, by the model's cache prices.",
    )
    keep_last_turns: Count = Field(2, description="User turns at the end that are sent whole if they fit.")
    condense_results: bool = Field(
        True,
        description="Say long results of tools in fewer tokens as they come: JSON without white space, like rows as "
        "tables, a terminal's final screen (but results of calls that name a file); of a result that nearly repeats an "
        "earlier one, which is sent in full, what has changed.",
    )
    summary_model: str | None = Field(
        None,
        description="A model (LiteLLM's name, or one of the proxy's list) that is asked, in the background, to "
        "summarise what was left out; from the next cut on its summaries stand before what is quoted. Unset, or where "
        "it fails: quotations alone.",
    )
    summaries_per_minute: Count = Field(60, description="At most so many background calls of it, per process.")


class TelemetrySettings(_Section):
    """Traces and metrics (OpenTelemetry)."""

    enabled: bool = True
    headers: bool = Field(True, description="x-tokenopt-* response headers of the proxy.")
    otlp_endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = Field(
        None,
        description="An OTLP/HTTP collector (http://localhost:4318) that the plugin exports to itself; unset: the "
        "program's own OpenTelemetry set-up is used.",
    )


TRIED_PLACE = "experiment.settings."
TRIED_SECTIONS = ("tools", "prompt", "context")
"""Sections whose settings an experiment may change: the others belong to what all requests share."""


class ExperimentSettings(_Section):
    """Other settings for a part of the sessions, to compare with those of the rest."""

    name: str = Field("", description="What it's called in reports, and splits sessions by; empty: there is none.")
    share: Fraction = Field(0.5, description="Of the sessions, this part gets the settings below.")
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="What differs for them, of tools, prompt and context: {tools: {max_tools: 6}}; nothing: both sides "
        "are alike, which shows how far they differ by chance.",
    )

    @field_validator("settings")
    @classmethod
    def _may_differ(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if strange := sorted(value.keys() - set(TRIED_SECTIONS)):
            raise ValueError(f"{', '.join(strange)} can't differ; allowed are {', '.join(TRIED_SECTIONS)}")
        return value

    @model_validator(mode="after")
    def _has_a_name(self) -> Self:
        if self.settings and not self.name.strip():
            raise ValueError("an experiment needs a name, by which its sessions are split and reported")
        return self


def _mode(value: Any) -> Any:
    """YAML 1.1 reads ``on`` and ``off`` as booleans; people write them with capitals."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value.lower() if isinstance(value, str) else value


class Settings(_Section):
    """All settings; every default is safe."""

    mode: Annotated[Literal["on", "shadow", "off"], BeforeValidator(_mode)] = Field(
        "on", description="on | shadow (decide and report, but send the original) | off."
    )
    holdout_fraction: Fraction = Field(0.0, description="Share of sessions left alone, to compare with.")
    time_budget_seconds: Seconds = Field(5.0, description="For all stages of one request; then it goes on.")
    max_rounds: Annotated[int, Field(ge=0)] = Field(
        3, description="How often in one call the model may ask for what was left out (tokenopt_… tools); 0: never."
    )
    redis: RedisSettings = RedisSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    cache: CacheSettings = CacheSettings()
    tools: ToolsSettings = ToolsSettings()
    prompt: PromptSettings = PromptSettings()
    context: ContextSettings = ContextSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    experiment: ExperimentSettings = ExperimentSettings()

    def tried(self) -> Settings:
        """These settings as the experiment changes them; themselves where it changes nothing."""
        if not self.experiment.settings:
            return self
        changed = _merged(self.model_dump(), self.experiment.settings)
        return Settings.model_validate({**changed, "experiment": {}})


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """*values* with *changes*, mapping by mapping."""
    both = {
        name: _merged(values[name], change)
        for name, change in changes.items()
        if isinstance(change, Mapping) and isinstance(values.get(name), Mapping)
    }
    return {**values, **changes, **both}


def load_settings(source: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None) -> Settings:
    """Settings from a mapping, a YAML file's path, ready settings, or defaults; the environment wins.

    A YAML file may hold the settings at its top, under ``litellm_tokenopt``, or under LiteLLM's
    ``callback_settings: {litellm_tokenopt: …}``. Raises `SettingsError` that names each wrong field.
    """
    if isinstance(source, Settings):
        return _checked(source)
    where = f"settings file {os.fspath(source)}" if isinstance(source, (str, os.PathLike)) else "settings"
    values = _resolve(_read_yaml(source) if isinstance(source, (str, os.PathLike)) else source or {}, ())
    if not isinstance(values, Mapping):
        raise SettingsError(f"{where}: got a {type(values).__name__}; a mapping of settings is allowed")
    set_by = _variables(os.environ)
    for place, name in set_by.items():
        values = _with(values, place, _read_variable(name, place))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, set_by)) from None
    return _checked(settings)


def _checked(settings: Settings) -> Settings:
    """*settings*, whose own and tried ones fit together. Raises `SettingsError` where they don't."""
    _check_intents(settings, "")
    try:
        _check_intents(settings.tried(), TRIED_PLACE)
    except ValidationError as error:
        raise SettingsError("; ".join(TRIED_PLACE + _explain_one(fault, {}) for fault in error.errors())) from None
    return settings


def _check_intents(settings: Settings, place: str) -> None:
    """Raise `SettingsError` where a module of the prompt, at *place*, names a kind of task that there isn't."""
    named = [(module.id, intent) for module in settings.prompt.modules for intent in module.when.intents]
    known = read_taxonomy(settings.tools.intents).categories if named else {}
    for id, intent in named:
        if intent not in known:
            raise SettingsError(
                f"{place}prompt.modules: module {id}: when.intents: got {intent!r}; allowed: {', '.join(known)}"
            )


def _read_yaml(path: str | os.PathLike[str]) -> Any:
    import yaml

    where = f"settings file {os.fspath(path)}"
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise SettingsError(f"{where}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{where}: not UTF-8 at byte {error.start}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{where}: not YAML: {_fault(error)}") from None
    return _own_part(values) if isinstance(values, Mapping) else values


def _fault(error: Any) -> str:
    """A YAML error in one line."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or not problem:
        return " ".join(str(error).split())
    advice = "; indent with spaces" if "'\\t'" in problem else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}{advice}"


def _own_part(values: Mapping[str, Any]) -> Any:
    """The plugin's settings in a file; none where it's LiteLLM's own configuration and says nothing of the plugin."""
    callback_settings = values.get("callback_settings")
    if isinstance(callback_settings, Mapping):
        return callback_settings.get("litellm_tokenopt") or {}
    if "litellm_tokenopt" in values:
        return values["litellm_tokenopt"] or {}
    return {} if {"model_list", "litellm_settings", "general_settings"} & set(values) else values


def _variables(environment: Mapping[str, str]) -> dict[Place, str]:
    """The environment variables that hold settings, by place, sections before their fields; empty ones aside.

    One whose section is unknown may belong to another program: it's warned of, once.
    """
    found: dict[Place, str] = {}
    for name in environment:
        if name.startswith(ENV_PREFIX) and name not in NO_SETTINGS and environment[name].strip():
            place = tuple(name.removeprefix(ENV_PREFIX).lower().split("__"))
            if place[0] in Settings.model_fields:
                found[place] = name
            else:
                _warn_of(name)
    return dict(sorted(found.items()))


@lru_cache(maxsize=256)
def _warn_of(name: str) -> None:
    near = difflib.get_close_matches(name, _variable_names(), 1)
    advice = f"did you mean {near[0]}?" if near else f"sections are {', '.join(Settings.model_fields)}"
    logger.warning("the environment variable %s is no setting, and is ignored; %s", name, advice)


def _variable_names() -> list[str]:
    names = []
    for name in Settings.model_fields:
        fields = _fields_at((name,))
        names += [f"{name}__{field}" for field in fields] or [name]
    return [f"{ENV_PREFIX}{name.upper()}" for name in names]


def _read_variable(name: str, place: Place) -> Any:
    """The value of the variable *name*: text, as pydantic reads it; a list or a mapping as YAML has it, or ``a, b``."""
    import yaml

    text = os.environ[name].strip()
    if text.startswith(("[", "{")):
        try:
            return _resolve(yaml.safe_load(text), place)
        except yaml.YAMLError as error:
            raise SettingsError(f"{name}: got {text!r}; not YAML: {_fault(error)}") from None
    if _takes_list(place):
        return [part.strip() for part in text.split(",") if part.strip()]
    return _resolve(text, place)


def _takes_list(place: Place) -> bool:
    model = _model_at(place[:-1])
    field = model.model_fields.get(place[-1]) if model else None
    return field is not None and getattr(field.annotation, "__origin__", None) is tuple


def _resolve(value: Any, path: Place) -> Any:
    """*value* with every ``os.environ/NAME`` replaced by that variable."""
    if isinstance(value, Mapping):
        return {str(key): _resolve(item, (*path, str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolve(item, path) for item in value]
    if isinstance(value, str) and value.startswith("os.environ/"):
        name = value.removeprefix("os.environ/")
        if name not in os.environ:
            raise SettingsError(f"{'.'.join(path)}: got {value!r}; the environment variable {name} is not set")
        return os.environ[name]
    return value


def _with(values: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """*values* with *value* at *place*; what stands in the way there, and is no mapping, stays to be complained of."""
    name, *rest = place
    here = values.get(name)
    if not rest:
        return {**values, name: value}
    if here is not None and not isinstance(here, Mapping):
        return dict(values)
    return {**values, name: _with(here or {}, tuple(rest), value)}


def _explain(error: ValidationError, set_by: Mapping[Place, str]) -> str:
    return "; ".join(_explain_one(fault, set_by) for fault in error.errors())


def _explain_one(fault: Any, set_by: Mapping[Place, str]) -> str:
    place = tuple(map(str, fault["loc"]))
    path = ".".join(place) or "settings"
    longest = len(place) + isinstance(fault["input"], Mapping)  # a single value may have got a field
    variables = [n for of, n in set_by.items() if len(of) <= longest and of[: len(place)] == place[: len(of)]]
    begin = f"{variables[-1]}: " if variables else ""
    if fault["type"] == "extra_forbidden":
        return f"{begin}{path}: no such setting; {_allowed_near(place)}"
    return f"{begin}{path}: got {_shown(path, fault['input'])}; {_allowed(fault, place)}"


def _allowed_near(place: Place) -> str:
    fields = _fields_at(place[:-1])
    begun = [name for name in fields if name.startswith(place[-1].lower())]
    near = difflib.get_close_matches(place[-1].lower(), fields, 1) or begun
    guess = f"did you mean {near[0]}? " if near else ""
    return f"{guess}allowed here: {', '.join(fields)}"


def _allowed(fault: Any, place: Place) -> str:
    """What is allowed, where pydantic's own words would be of its types."""
    if fault["type"] in ("model_type", "model_attributes_type"):
        return f"a mapping is allowed, of: {', '.join(_fields_at(place))}"
    if fault["type"] == "tuple_type":
        return "a list is allowed, such as [one, another]"
    if fault["type"].startswith("bool_"):
        return "true or false is allowed"
    message: str = fault["msg"].removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}"


def _fields_at(place: Place) -> list[str]:
    model = _model_at(place)
    return list(model.model_fields) if model else []


def _model_at(place: Place) -> type[BaseModel] | None:
    """The model of the section at *place*; None where there is none."""
    model: type[BaseModel] = Settings
    for part in place:
        field = model.model_fields.get(part)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return None
        model = field.annotation
    return model


def _shown(path: str, value: Any) -> str:
    """*value* for an error message; keys and a URL's password stay out of logs."""
    if path.endswith("_key"):
        return "'…'"
    shown = repr(value)
    if "@" in shown and ("://" in shown or path.endswith("url")):
        return f"{shown.split('@')[0].split('://')[0]}://…'"
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}…"
