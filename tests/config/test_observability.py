"""The files for collector, Prometheus, Grafana and compose fit each other, and the metrics that are recorded."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from support import promql

from litellm_tokenopt import errors
from litellm_tokenopt.cache import evidence
from litellm_tokenopt.settings import Settings
from litellm_tokenopt.telemetry import facts, names

CONFIG = Path(__file__).parents[2] / "config"
DASHBOARD = json.loads((CONFIG / "grafana/dashboards/tokenopt.json").read_text())
COMPOSE = yaml.safe_load((CONFIG / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
RULES = [r for g in yaml.safe_load((CONFIG / "alerts.yaml").read_text())["groups"] for r in g["rules"]]

UNITS = {"s": "_seconds", "By": "_bytes", "": ""}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
OWN_LABELS = {"le", "job", "instance"}
"""Labels that Prometheus and the collector add."""


def exposed(metric: names.Metric) -> set[str]:
    """The series of *metric* as Prometheus sees them: dots become underscores, unit and kind are suffixes."""
    unit = "" if metric.unit.startswith("{") else UNITS[metric.unit]
    return {metric.name.replace(".", "_") + unit + suffix for suffix in SUFFIXES[metric.kind]}


SERIES = {series for metric in names.METRICS for series in exposed(metric)}
LABELS = {attribute.replace(".", "_") for attribute in names.METRIC_ATTRIBUTES} | OWN_LABELS


def dashboard_expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (variable["query"]["query"] for variable in DASHBOARD["templating"]["list"])


EXPRESSIONS = [*dashboard_expressions(), *(rule["expr"] for rule in RULES)]


def labels_of(expression: str) -> set[str]:
    """Labels that *expression* matches or groups by."""
    matched = {name for braces in re.findall(r"\{([^}]*)\}", expression) for name in re.findall(r"(\w+)\s*=", braces)}
    grouped = {name.strip() for by in re.findall(r"\bby\s*\(([^)]*)\)", expression) for name in by.split(",")}
    return matched | grouped


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_use_metrics_that_exist(expression: str) -> None:
    """Every series and label that a panel or alert names is one that the recorder writes."""
    series = set(
        re.findall(r"(?<![\w\"])tokenopt_\w+(?=[{\[,)\s])", re.sub(r"\{[^}]*\}|by\s*\([^)]*\)", " ", expression))
    )
    assert series - LABELS
    assert series - LABELS <= SERIES
    assert labels_of(expression) <= LABELS
    assert expression.count("(") == expression.count(")")


def test_every_metric_is_shown_or_derived() -> None:
    """Every metric is on the dashboard or in an alert; a stage's tokens before and after it are for asking by hand."""
    text = " ".join(EXPRESSIONS)
    unseen = {metric for metric in names.METRICS if not any(series in text for series in exposed(metric))}
    assert unseen == {names.STAGE_BEFORE, names.STAGE_AFTER}


def test_legends_name_labels_that_exist() -> None:
    """A panel's legend is made of labels that its expression keeps."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels_of(target["expr"])


def test_panels_lie_side_by_side() -> None:
    """Panels have ids and places of their own on Grafana's 24 columns."""
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [(p["x"] + dx, p["y"] + dy) for p in places for dx in range(p["w"]) for dy in range(p["h"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_dashboard_uses_the_provisioned_data_source() -> None:
    """Data sources are provisioned under the ids that panels ask for, at addresses of compose services."""
    sources = yaml.safe_load((CONFIG / "grafana/provisioning/datasources/datasources.yaml").read_text())["datasources"]
    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    assert used <= {source["uid"] for source in sources}
    assert {source["url"].split("//")[1].split(":")[0] for source in sources} <= set(SERVICES)


def test_alerts_say_what_to_do() -> None:
    """Every alert waits before it fires, has a severity, a summary and a description."""
    for rule in RULES:
        assert rule["for"]
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Prometheus) is not installed")
def test_alerts_fire_when_they_should() -> None:
    """Prometheus' own tool takes the rules through made-up traffic."""
    scenario = Path(__file__).with_name("alerts_test.yaml")
    subprocess.run(["promtool", "test", "rules", str(scenario)], check=True, timeout=60)


SCENARIOS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("alerts_test.yaml").read_text())["tests"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_alerts_fire_for_what_they_are_made_for(scenario: dict[str, Any]) -> None:
    """The same made-up traffic, read by as much of PromQL as the rules use: who fires, and for which labels."""
    every = promql.seconds(scenario["interval"])
    series = [promql.Series.read(one["series"], one["values"], every) for one in scenario["input_series"]]
    assert {one.name for one in series} <= SERIES
    rules = {rule["alert"]: rule for rule in RULES}
    for look in scenario["alert_rule_test"]:
        rule = rules[look["alertname"]]
        fired = promql.firing(rule["expr"], rule["for"], series, promql.seconds(look["eval_time"]))
        expected = [set(alert["exp_labels"].items()) - set(rule["labels"].items()) for alert in look["exp_alerts"]]
        assert [set(labels) for labels in fired] == expected


WORDS = {
    "tokenopt_mode": set(get_args(Settings.model_fields["mode"].annotation)),
    "tokenopt_outcome": set(get_args(evidence.Outcome)),
    "tokenopt_cache_result": {
        facts.store_result(said).result for said in ("miss", "veto:number", "skip:mock", "error:X")
    }
    | {f"hit.{hit}" for hit in get_args(facts.CacheHit)},
    "error_type": {name for name, error in vars(errors).items() if isinstance(error, type)},
}
"""What the recorder writes under a label."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_look_for_words_that_are_written(rule: dict[str, Any]) -> None:
    """Each value that a rule matches is one that a label can have."""
    for label, text in re.findall(r"(\w+)=~?\"([^\"]*)\"", rule["expr"]):
        for word in text.split("|"):
            assert any(re.fullmatch(word, known) for known in WORDS[label])


def test_every_alert_has_its_traffic() -> None:
    """Each rule is seen to fire."""
    looks = [look for scenario in SCENARIOS for look in scenario["alert_rule_test"]]
    assert {look["alertname"] for look in looks if look["exp_alerts"]} == {rule["alert"] for rule in RULES}


def test_the_collector_connects_what_it_declares() -> None:
    """Pipelines use all that is declared; metrics go where Prometheus scrapes, traces to Jaeger and a file."""
    collector = yaml.safe_load((CONFIG / "otel-collector.yaml").read_text())
    pipelines = collector["service"]["pipelines"].values()
    for part in ("receivers", "processors", "exporters"):
        assert {name for pipeline in pipelines for name in pipeline[part]} == set(collector[part])
    assert set(collector["service"]["extensions"]) == set(collector["extensions"])
    scrape = yaml.safe_load((CONFIG / "prometheus.yml").read_text())["scrape_configs"][0]
    port = collector["exporters"]["prometheus"]["endpoint"].rsplit(":")[-1]
    assert scrape["static_configs"] == [{"targets": [f"otel-collector:{port}"]}]
    folder = Path(collector["exporters"]["file/traces"]["path"]).parent
    assert f"traces:{folder}" in SERVICES["otel-collector"]["volumes"]
    assert collector["exporters"]["otlp/jaeger"]["endpoint"].split(":")[0] in SERVICES
    assert collector["exporters"]["prometheus"]["translation_strategy"] == "UnderscoreEscapingWithSuffixes"


@pytest.mark.parametrize("service", SERVICES)
def test_compose_pins_versions_and_stays_on_loopback(service: str) -> None:
    """Images have an exact version, and every port is published on 127.0.0.1 alone."""
    settings = SERVICES[service]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", settings["image"])
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in settings["ports"])
    assert set(settings.get("depends_on", [])) <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_compose_mounts_what_exists(service: str) -> None:
    """Every mounted file is in this folder and read only; every named volume is declared."""
    for mount in SERVICES[service].get("volumes", []):
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (CONFIG / source).exists()
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_paths_inside_containers_fit_the_mounts() -> None:
    """Commands and settings name paths that are mounted there."""
    targets = [m.split(":")[1] for s in SERVICES.values() for m in s.get("volumes", [])]
    provider = yaml.safe_load((CONFIG / "grafana/provisioning/dashboards/dashboards.yaml").read_text())["providers"][0]
    prometheus = yaml.safe_load((CONFIG / "prometheus.yml").read_text())
    options = [str(word) for s in SERVICES.values() for word in s.get("command", [])]
    named = [word.removeprefix("--config=") for word in options if word.startswith("--config=")]
    named += [word.removeprefix("--config.file=") for word in options if word.startswith("--config.file=")]
    named += [*prometheus["rule_files"], provider["options"]["path"]]
    assert set(named) <= set(targets)
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (CONFIG / "grafana/dashboards" / Path(home).name).exists()
    assert str(Path(home).parent) in targets
