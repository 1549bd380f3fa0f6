"""compose.yaml, as Docker Compose's own loader understands it."""

from __future__ import annotations

from typing import Any

import pytest
from dotenv import dotenv_values

from core.settings import Settings
from infra.wiring.stages import RECIPES
from tests.infra.deploy import names
from tests.infra.deploy.tools import ROOT, compose, refused_compose

pytestmark = pytest.mark.timeout(1200)  # the first run builds the tools that it needs

DEVICES = set(RECIPES.needing("device"))
PROFILES = ("cpu", "gpu")
SECRET = ("KEY", "PASSWORD", "SECRET", "TOKEN")
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
            if any(part in name for part in SECRET):
                assert value.startswith("/filled/"), f"{name} has a value in compose.yaml"


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


def test_a_stop_leaves_time_for_the_work_in_flight() -> None:
    for service in running("cpu").values():
        seconds = float(service["stop_grace_period"].removesuffix("s"))
        assert seconds > Settings().runtime.grace_s
