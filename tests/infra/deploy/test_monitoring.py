"""Prometheus' and Grafana's files: they are valid, and speak of what exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.wiring.stages import RECIPES
from tests.infra.deploy import names
from tests.infra.deploy.tools import ROOT, compose, promtool

pytestmark = pytest.mark.timeout(1200)  # the first run builds the tools that it needs

PROMETHEUS = ROOT / "infra" / "prometheus"
GRAFANA = ROOT / "infra" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "engine.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def series(expression: str) -> set[str]:
    """The series that an expression speaks of."""
    return set(re.findall(r"\btagger_\w+|\bup\b", expression))


def test_prometheus_accepts_its_files() -> None:
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(PROMETHEUS / "alerts.yml"))


def test_alerts_tell_what_they_should_and_nothing_else() -> None:
    promtool("test", "rules", str(PROMETHEUS / "alerts_test.yml"))


def test_every_alert_is_tested_and_says_what_to_do() -> None:
    cases = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    tested = {one["alertname"] for case in cases for one in case["alert_rule_test"]}

    assert tested == {rule["alert"] for rule in RULES}
    for rule in RULES:
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]


def test_dashboard_expressions_are_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    promtool("check", "rules", str(file))


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(rule["expr"] for rule in RULES)])
def test_what_is_looked_at_is_exported(expression: str) -> None:
    assert series(expression)
    assert series(expression) <= names.series()


def test_the_dashboard_shows_throughput_backlog_latency_errors_and_batch_fill() -> None:
    shown = set().union(*map(series, EXPRESSIONS))

    assert {
        "tagger_events_total",
        "tagger_lag_events",
        "tagger_handle_seconds_bucket",
        "tagger_retries_total",
        "tagger_batch_fill_sum",
    } <= shown
    assert any('outcome="dead"' in expression for expression in EXPRESSIONS)


def test_every_stage_is_missed() -> None:
    [missing] = [rule["expr"] for rule in RULES if rule["alert"] == "StageMissing"]

    assert re.findall(r'stage="(\w+)"', missing) == list(RECIPES.names)


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_every_service_of_ours_is_scraped_by_name(profile: str) -> None:
    [job] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    [lookup] = job["dns_sd_configs"]
    scraped = set(lookup["names"])
    found: set[str] = set()
    for name, service in compose(profile).items():
        if service["image"].startswith("tagging-engine:") and name != "topics":
            network = service["networks"]["default"] or {}
            here = scraped & {name, *network.get("aliases", [])}
            assert len(here) == 1, name
            assert names.parsed(service["command"])["port"] == lookup["port"]
            found |= here

    assert found == scraped


def test_grafana_finds_its_data_and_its_dashboard() -> None:
    service = compose("cpu")["grafana"]
    mounts = {mount["target"]: Path(mount["source"]).name for mount in service["volumes"]}
    [source] = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text()
    )["datasources"]
    [provider] = yaml.safe_load(
        (GRAFANA / "provisioning" / "dashboards" / "engine.yaml").read_text()
    )["providers"]
    home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])

    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    assert mounts[provider["options"]["path"]] == "dashboards"
    assert home.parent == Path(provider["options"]["path"])
    assert (GRAFANA / "dashboards" / home.name).exists()


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
