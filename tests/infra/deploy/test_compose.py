"""compose.yaml, as Docker Compose's own loader understands it."""

from __future__ import annotations

from typing import Any

import pytest
from dotenv import dotenv_values

from core.settings import Settings
from infra.wiring.stages import RECIPES
from tests.infra.deploy import names
from tests.infra.deploy.tools import ROOT, compose, filled_env, refused_compose

pytestmark = pytest.mark.timeout(1200)  # the first run builds the tools that it needs

DEVICES = set(RECIPES.needing("device"))
PROFILES = ("cpu", "gpu")
SECRET = ("KEY", "PASSWORD", "SECRET", "TOKEN", "JAAS")
NAMES = {"S3_ACCESS_KEY"}
"""Sounds like a secret, and says who logs in."""
TO_FILL_IN = [name for name, value in dotenv_values(ROOT / ".env.example").items() if not value]


def ours(profile: str) -> dict[str, Any]:
    """The services that run ``tagger``."""
    services = compose(profile).items()
    return {name: one for name, one in services if one["image"].startswith("tagging-engine:")}


def running(profile: str) -> dict[str, Any]:
    """Those of them that go on until somebody stops them."""
    return {name: one for name, one in ours(profile).items() if name != "topics"}


def run_once(profile: str) -> set[str]:
    """Services that others wait for to end."""
    return {
        name
        for service in compose(profile).values()
        for name, wait in service.get("depends_on", {}).items()
        if wait["condition"] == "service_completed_successfully"
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_each_stage_is_one_service(profile: str) -> None:
    commands = [names.parsed(service["command"]) for service in ours(profile).values()]

    consumed = [stage for params in commands for stage in params.get("stages", [])]

    assert sorted(consumed) == sorted(RECIPES.names)


@pytest.mark.parametrize("profile", PROFILES)
def test_both_producers_run_and_topics_are_made_first(profile: str) -> None:
    services = ours(profile)

    assert names.parsed(services["folder"]["command"])["directory"]
    assert names.parsed(services["bucket"]["command"])["name"]
    assert services["topics"]["command"] == ["topics", "create"]
    for service in running(profile).values():
        assert service["depends_on"]["topics"]["condition"] == "service_completed_successfully"


def test_the_watched_folder_is_mounted_where_the_producer_looks_and_only_for_reading() -> None:
    service = ours("cpu")["folder"]

    watched = str(names.parsed(service["command"])["directory"])
    mount = next(mount for mount in service["volumes"] if mount["target"] == watched)

    assert mount["source"] == "/filled/drop_folder"
    assert mount["read_only"]


def test_without_a_profile_only_servers_start() -> None:
    assert not ours("")
    assert {"kafka", "minio", "qdrant", "prometheus", "grafana"} <= set(compose(""))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_device_is_reserved_for_exactly_the_stages_that_ask_for_one(profile: str) -> None:
    for service in running(profile).values():
        params = names.parsed(service["command"])
        on_gpu = profile == "gpu" and not DEVICES.isdisjoint(params.get("stages", []))
        devices = service.get("deploy", {}).get("resources", {}).get("reservations", {})

        assert params.get("device") == ("cuda:0" if on_gpu else None)
        assert bool(devices) == on_gpu
        assert service["image"].endswith("-gpu" if on_gpu else "-cpu")
        assert service["build"]["dockerfile"].endswith("gpu.Dockerfile") == on_gpu


@pytest.mark.parametrize("name", TO_FILL_IN)
def test_nothing_starts_while_a_line_of_env_is_empty(name: str) -> None:
    assert f"required variable {name} is missing a value" in refused_compose(name)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_secret_comes_from_env(profile: str) -> None:
    for service in compose(profile).values():
        for name, value in service.get("environment", {}).items():
            if any(part in name for part in SECRET) and name not in NAMES:
                assert "/filled/" in value, f"{name} has a value in compose.yaml"


def told(service: dict[str, Any]) -> set[str]:
    """The passwords of ``.env`` that a service gets to see."""
    words = [*service.get("environment", {}).values(), *(service.get("command") or [])]
    passwords = set(TO_FILL_IN) - {"DROP_FOLDER"}
    return {name for name in passwords if any(filled_env()[name] in word for word in words)}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_process_of_ours_is_told_the_logins_that_it_needs_and_no_other(profile: str) -> None:
    searching = set(RECIPES.needing("vectors"))
    for name, service in ours(profile).items():
        wanted = {"KAFKA_SASL_PASSWORD"}
        if name != "topics":
            wanted.add("DROPOFF_SECRET_KEY" if name == "bucket" else "S3_SECRET_KEY")
        if not searching.isdisjoint(names.parsed(service["command"]).get("stages", [])):
            wanted.add("QDRANT_API_KEY")

        assert told(service) == wanted, name


def test_a_server_is_told_its_own_login_and_no_other() -> None:
    servers = compose("")

    assert {name: told(service) for name, service in servers.items()} == {
        "kafka": {"KAFKA_SASL_PASSWORD"},
        "minio": {"MINIO_ROOT_PASSWORD"},
        "qdrant": {"QDRANT_API_KEY"},
        "grafana": {"GRAFANA_PASSWORD"},
        "prometheus": set(),
        "buckets": {"MINIO_ROOT_PASSWORD", "S3_SECRET_KEY", "DROPOFF_SECRET_KEY"},
    }


LOGINS = {
    "Kafka": "KAFKA_SASL_PASSWORD",
    "S3 as engine": "S3_SECRET_KEY",
    "S3 as dropoff": "DROPOFF_SECRET_KEY",
    "Qdrant": "QDRANT_API_KEY",
    "MinIO's administrator": "MINIO_ROOT_PASSWORD",
}


def test_the_document_on_security_lists_the_logins_of_each_service() -> None:
    text = (ROOT / "infra" / "docs" / "security.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]

    documented = {
        name: {LOGINS[one] for one in logins.split(", ")} for name, logins, *_ in rows[1:]
    }

    services = {**ours("cpu"), "buckets": compose("")["buckets"]}
    assert documented == {name: told(service) for name, service in services.items()}


@pytest.mark.parametrize("profile", PROFILES)
def test_nobody_of_ours_is_the_administrator_of_a_server(profile: str) -> None:
    root = compose("")["minio"]["environment"]["MINIO_ROOT_USER"]

    users = {
        service["environment"].get("S3_ACCESS_KEY")
        for name, service in ours(profile).items()
        if name != "topics"
    }

    assert users == {"engine", "dropoff"}
    assert root not in users


def test_a_stage_that_runs_from_the_checkout_logs_in_as_those_of_compose_do() -> None:
    example, told = filled_env(), compose("cpu")["match"]["environment"]

    shared = example.keys() & told.keys()

    assert {name for name in shared if "SASL" in name or name.endswith("KEY")} == {
        *("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "QDRANT_API_KEY"),
        *("S3_ACCESS_KEY", "S3_SECRET_KEY"),
    }
    assert {name: example[name] for name in shared} == {name: told[name] for name in shared}
    assert "KAFKA_SECURITY_PROTOCOL" in shared


def test_kafka_asks_everybody_from_outside_its_container_for_a_login() -> None:
    told = compose("")["kafka"]["environment"]
    protocols = dict(
        one.split(":") for one in told["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    listeners = dict(one.split("://") for one in told["KAFKA_LISTENERS"].split(","))

    assert set(protocols) == set(listeners)
    for name, place in listeners.items():
        wanted = "PLAINTEXT" if place.startswith("localhost:") else "SASL_PLAINTEXT"
        assert protocols[name] == wanted, name


@pytest.mark.parametrize("profile", PROFILES)
def test_what_our_services_are_told_are_settings(profile: str) -> None:
    for service in ours(profile).values():
        assert set(service["environment"]) <= names.settings()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_service_comes_back_and_says_how_it_is(profile: str) -> None:
    once = run_once(profile)

    assert once == {"topics", "buckets"}
    for name, service in compose(profile).items():
        assert service["restart"] == ("on-failure" if name in once else "unless-stopped")
        assert ("healthcheck" in service) == (name not in once)


def test_images_are_pinned() -> None:
    for service in {**compose("cpu"), **compose("gpu")}.values():
        _, _, tag = service["image"].partition(":")
        assert any(character.isdigit() for character in tag), service["image"]


def test_ports_are_open_to_this_host_alone() -> None:
    for service in compose("cpu").values():
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1"


def test_servers_keep_their_data_in_named_volumes() -> None:
    for name in ("kafka", "minio", "qdrant", "prometheus", "grafana"):
        volumes = compose("")[name]["volumes"]
        assert any(volume["type"] == "volume" and volume.get("source") for volume in volumes)


@pytest.mark.parametrize("profile", PROFILES)
def test_our_services_may_do_nothing_but_their_work(profile: str) -> None:
    for service in ours(profile).values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_service_has_a_limit_of_memory_processes_and_open_files(profile: str) -> None:
    for name, service in compose(profile).items():
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert service["ulimits"]["nofile"] > 0, name


def test_a_process_that_decodes_has_memory_for_its_decoders() -> None:
    media = Settings().media

    for name in ("frames", "folder", "bucket"):
        assert int(compose("cpu")[name]["mem_limit"]) > media.workers * media.memory_limit_mb << 20


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_gains_privileges_that_it_was_not_started_with(profile: str) -> None:
    for service in compose(profile).values():
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_a_stop_leaves_time_for_the_work_in_flight() -> None:
    for service in running("cpu").values():
        seconds = float(service["stop_grace_period"].removesuffix("s"))
        assert seconds > Settings().runtime.grace_s
