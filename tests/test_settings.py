"""Settings come from mappings, files and the environment, and a wrong one says where it's wrong."""

from __future__ import annotations

import pytest

from litellm_tokenopt import Settings, SettingsError, load_settings


def test_defaults_switch_every_stage_on():
    """With no settings at all, the four stages are on and no request is held out."""
    settings = load_settings()
    assert all(getattr(settings, stage).enabled for stage in ("cache", "tools", "prompt", "context"))
    assert (settings.mode, settings.holdout_fraction, settings.cache.threshold, settings.tools.max_tools) == (
        "on", 0.0, 0.85, 10,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tools": {"max_tools": 0}}, "tools.max_tools: got 0; input should be greater than or equal to 1"),
        (
            {"cache": {"treshold": 0.9}},
            "cache.treshold: no such setting; did you mean threshold? allowed here: enabled, threshold",
        ),
        ({"mode": "loud"}, "mode: got 'loud'; input should be 'on', 'shadow' or 'off'"),
        ({"redis": {"url": "http://x"}}, "redis.url: got 'http://x'; allowed: auto, embedded, memory, redis://"),
        ({"redis": {"url": "redis://localhost:99999"}}, "redis.url: got 'redis://localhost:99999'; allowed: auto"),
        ({"redis": {"url": "redis:///0"}}, "redis.url: got 'redis:///0'; allowed: auto"),
        ({"redis": {"url": "redis+cluster://a:1,b:0"}}, "redis.url: got 'redis+cluster://a:1,b:0'; allowed: auto"),
        ({"redis": {"url": "redis+cluster://a:1/3"}}, "redis.url: got 'redis+cluster://a:1/3'; allowed: auto"),
        ({"redis": {"url": "redis+sentinel:///main"}}, "redis.url: got 'redis+sentinel:///main'; allowed: auto"),
        ({"redis": {"url": "redis+sentinel://a/main/x"}}, "redis.url: got 'redis+sentinel://a/main/x'; allowed: auto"),
        ({"redis": {"url": "redis+ring://a"}}, "redis.url: got 'redis+ring://a'; allowed: auto"),
        ({"embedder": {"model": ""}}, "embedder.model: got ''"),
        ({"time_budget_seconds": "inf"}, "time_budget_seconds: got 'inf'"),
        ({"tools": 3}, "tools: got 3; a mapping is allowed, of: enabled, max_tools"),
        ({"tools": {"max_tools": "many"}}, "tools.max_tools: got 'many'; input should be a valid integer"),
        ({"tools": {"always_include": "search"}}, "tools.always_include: got 'search'; a list is allowed, such as"),
        ({"tools": {"enabled": "perhaps"}}, "tools.enabled: got 'perhaps'; true or false is allowed"),
        ({"cahce": {}}, "cahce: no such setting; did you mean cache? allowed here: mode,"),
        ({"mode": 1}, "mode: got 1; input should be 'on', 'shadow' or 'off'"),
    ],
)
def test_a_wrong_setting_names_path_value_and_what_is_allowed(given, said):
    """The message has all that is needed to mend the setting."""
    with pytest.raises(SettingsError) as caught:
        load_settings(given)
    assert said in str(caught.value)


def test_a_password_in_a_wrong_url_is_not_repeated():
    """What is secret stays out of error messages."""
    for given in ({"redis": {"url": "http://me:hunter2@host"}}, {"redis": "redis://me:hunter2@host"}):
        with pytest.raises(SettingsError) as caught:
            load_settings(given)
        assert "hunter2" not in str(caught.value)


def test_every_wrong_field_is_named_at_once():
    """One start is enough to learn of all mistakes."""
    with pytest.raises(SettingsError, match=r"max_tools.*threshold|threshold.*max_tools"):
        load_settings({"tools": {"max_tools": -1}, "cache": {"threshold": 7}})


@pytest.mark.parametrize("wrap", ["{}", "litellm_tokenopt: {}", "callback_settings: {{litellm_tokenopt: {}}}"])
def test_yaml_files_hold_settings_at_any_of_three_places(tmp_path, wrap):
    """A file of its own, a section, or LiteLLM's own proxy configuration."""
    path = tmp_path / "config.yaml"
    path.write_text(wrap.format("{tools: {max_tools: 4}}"))
    assert load_settings(path).tools.max_tools == 4


def test_a_missing_or_broken_file_is_a_clear_error(tmp_path):
    """The file's name stands in the message."""
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        load_settings(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(SettingsError, match="not YAML"):
        load_settings(tmp_path / "broken.yaml")
    (tmp_path / "tab.yaml").write_text("tools:\n\tmax_tools: 3")
    with pytest.raises(SettingsError, match=r"tab\.yaml: not YAML: line 2, column 1: .* indent with spaces"):
        load_settings(tmp_path / "tab.yaml")
    (tmp_path / "list.yaml").write_text("- tools")
    with pytest.raises(SettingsError, match=r"list\.yaml: got a list; a mapping of settings is allowed"):
        load_settings(tmp_path / "list.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"mode: \xe9")
    with pytest.raises(SettingsError, match=r"latin\.yaml: not UTF-8"):
        load_settings(tmp_path / "latin.yaml")


@pytest.mark.parametrize("text", ["model_list: []", "callback_settings: {otel: {x: 1}}", "litellm_tokenopt:", ""])
def test_a_file_that_says_nothing_of_the_plugin_gives_defaults(tmp_path, text):
    """A proxy's configuration need not name it."""
    (tmp_path / "config.yaml").write_text(text)
    assert load_settings(tmp_path / "config.yaml") == Settings()


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("on", "on"),
        ("off", "off"),
        ("Off", "off"),
        ("no", "off"),
        ("ON", "on"),
        ("shadow", "shadow"),
        ("Shadow", "shadow"),
    ],
)
def test_mode_needs_no_quotes(tmp_path, monkeypatch, text, mode):
    """YAML reads on and off as booleans; the setting takes them all the same, from a file and the environment."""
    (tmp_path / "config.yaml").write_text(f"mode: {text}")
    assert load_settings(tmp_path / "config.yaml").mode == mode
    if text != "no":
        monkeypatch.setenv("TOKENOPT_MODE", text)
        assert load_settings().mode == mode


def test_the_environment_wins(monkeypatch):
    """An operator can overrule a file without editing it."""
    monkeypatch.setenv("TOKENOPT_TOOLS__MAX_TOOLS", "6")
    monkeypatch.setenv("TOKENOPT_MODE", "shadow")
    monkeypatch.setenv("TOKENOPT_TOOLS__ALWAYS_INCLUDE", "[search, fetch]")
    settings = load_settings({"tools": {"max_tools": 3}})
    assert (settings.tools.max_tools, settings.mode) == (6, "shadow")
    assert settings.tools.always_include == ("search", "fetch")


def test_a_wrong_environment_variable_is_an_error(monkeypatch):
    """A misspelt field in the environment is not silently ignored."""
    monkeypatch.setenv("TOKENOPT_CACHE__TTL", "6")
    with pytest.raises(
        SettingsError, match=r"TOKENOPT_CACHE__TTL: cache\.ttl: no such setting; did you mean ttl_seconds"
    ):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "TOKENOPT_TOOLS__MAXTOOLS",
            "8",
            "TOKENOPT_TOOLS__MAXTOOLS: tools.maxtools: no such setting; did you mean max_t",
        ),
        (
            "TOKENOPT_TOOLS__MAX_TOOLS",
            "1:30",
            "TOKENOPT_TOOLS__MAX_TOOLS: tools.max_tools: got '1:30'; input should be",
        ),
        ("TOKENOPT_TOOLS", "3", "TOKENOPT_TOOLS: tools: got '3'; a mapping is allowed, of: enabled"),
        ("TOKENOPT_MODE__X", "1", "TOKENOPT_MODE__X: mode: got {'x': '1'}; input should be 'on', 'shadow' or 'off'"),
        ("TOKENOPT_TOOLS__ALWAYS_INCLUDE", "[a", "TOKENOPT_TOOLS__ALWAYS_INCLUDE: got '[a'; not YAML"),
        ("TOKENOPT_MODE", "1", "TOKENOPT_MODE: mode: got '1'; input should be 'on', 'shadow' or 'off'"),
    ],
)
def test_a_wrong_value_in_the_environment_names_its_variable(monkeypatch, name, value, said):
    """Beside path, value and what is allowed."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert said in str(caught.value)


def test_a_section_and_its_fields_may_both_be_in_the_environment(monkeypatch):
    """The field wins; a section that is none is complained of, not overruled."""
    monkeypatch.setenv("TOKENOPT_TOOLS__MAX_TOOLS", "6")
    monkeypatch.setenv("TOKENOPT_TOOLS", "{max_tools: 3, min_tokens: 7}")
    assert (load_settings().tools.max_tools, load_settings().tools.min_tokens) == (6, 7)
    monkeypatch.delenv("TOKENOPT_TOOLS")
    with pytest.raises(SettingsError, match="tools: got 3; a mapping"):
        load_settings({"tools": 3})


def test_an_unknown_section_in_the_environment_is_warned_of_once(monkeypatch, caplog):
    """It may be another program's, so it's no error; the nearest setting is named."""
    monkeypatch.setenv("TOKENOPT_CAHCE__TTL_SECONDS", "6")
    monkeypatch.setenv("TOKENOPT_EMBEDDED_DIR", "/tmp")
    load_settings()
    load_settings()
    (record,) = caplog.records
    assert "TOKENOPT_CAHCE__TTL_SECONDS is no setting, and is ignored; did you mean TOKENOPT_CACHE__TTL_SECONDS?" in (
        record.getMessage()
    )


@pytest.mark.parametrize("text", ["search, fetch", "[search, fetch]", '["search","fetch"]'])
def test_lists_in_the_environment(monkeypatch, text):
    """As YAML has them, or with commas alone; an empty variable is none."""
    monkeypatch.setenv("TOKENOPT_TOOLS__ALWAYS_INCLUDE", text)
    monkeypatch.setenv("TOKENOPT_TOOLS__MAX_TOOLS", "")
    monkeypatch.setenv("TOKENOPT_REDIS__PREFIX", "2024")
    settings = load_settings({"tools": {"max_tools": 3}})
    assert (settings.tools.always_include, settings.tools.max_tools) == (("search", "fetch"), 3)
    assert settings.redis.prefix == "2024"


def test_os_environ_values_are_read_as_in_litellms_files(monkeypatch):
    """``os.environ/NAME`` stands for that variable, and an unset one is named."""
    monkeypatch.setenv("MY_REDIS", "redis://localhost:6399")
    assert load_settings({"redis": {"url": "os.environ/MY_REDIS"}}).redis.url == "redis://localhost:6399"
    with pytest.raises(SettingsError, match="NOT_THERE is not set"):
        load_settings({"redis": {"url": "os.environ/NOT_THERE"}})


def test_settings_are_frozen_and_pass_through():
    """Ready settings are taken as they are, and nobody can change them afterwards."""
    settings = Settings()
    assert load_settings(settings) is settings
    with pytest.raises(ValueError, match="frozen"):
        settings.mode = "off"  # type: ignore[misc]


def test_encryption_key_is_checked_and_never_shown(monkeypatch):
    """A Fernet key is taken from the environment; what is none is refused, and neither is printed."""
    good = "q" * 43 + "="
    monkeypatch.setenv("ANSWERS_KEY", good)
    settings = load_settings({"cache": {"encryption_key": "os.environ/ANSWERS_KEY"}})
    assert settings.cache.encryption_key.get_secret_value() == good
    assert good not in repr(settings) + settings.model_dump_json()
    for bad in ("my-own-password", "q" * 43, "ü" * 44, ""):
        with pytest.raises(SettingsError, match=r"cache\.encryption_key: got '…'; allowed: 32 random bytes"):
            load_settings({"cache": {"encryption_key": bad}})
