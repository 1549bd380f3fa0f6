"""infra/k8s, as kustomize renders it and a cluster with KEDA would take it."""

from __future__ import annotations

from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from core.settings import KafkaSettings, Settings
from infra.contract.topics import cluster_topics
from infra.wiring.recipes import Recipe
from infra.wiring.stages import RECIPES
from tests.infra.deploy import names
from tests.infra.deploy.tools import compose, kafka_trigger_keys, keda_schema, manifests

pytestmark = pytest.mark.timeout(1200)  # the first run builds the tools that it needs

KUBERNETES = "1.34"
KEDA_SAYS = {"PLAIN": "plaintext", "SCRAM-SHA-256": "scram_sha256", "SCRAM-SHA-512": "scram_sha512"}
PARTITIONS = {topic.name: topic.partitions for topic in cluster_topics()}


def of(kind: str) -> dict[str, dict[str, Any]]:
    """Name to manifest."""
    return {one["metadata"]["name"]: one for one in manifests() if one["kind"] == kind}


def container(workload: dict[str, Any]) -> dict[str, Any]:
    """The one container of its pods."""
    [only] = workload["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def processes() -> dict[str, dict[str, Any]]:
    """Everything that runs ``tagger``."""
    return {**of("Deployment"), **of("Job")}


def stages() -> dict[str, dict[str, Any]]:
    """Stage to its deployment."""
    found = {}
    for deployment in of("Deployment").values():
        for stage in names.parsed(container(deployment)["args"]).get("stages", []):
            assert stage not in found
            found[stage] = deployment
    return found


def test_a_cluster_accepts_what_is_kubernetes_own() -> None:
    own = [one for one in manifests() if not one["apiVersion"].startswith("keda.sh/")]

    for manifest in own:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)

    assert len(own) > len(RECIPES)


def test_keda_accepts_what_is_its_own() -> None:
    for manifest in manifests():
        if manifest["apiVersion"].startswith("keda.sh/"):
            jsonschema.validate(manifest, keda_schema(manifest["kind"]))
    for manifest in of("ScaledObject").values():
        for trigger in manifest["spec"]["triggers"]:
            assert trigger["type"] == "kafka"
            assert set(trigger["metadata"]) <= kafka_trigger_keys()


def test_every_command_is_one_that_tagger_has() -> None:
    for workload in processes().values():
        params = names.parsed(container(workload)["args"])
        assert set(params.get("stages", [])) <= set(RECIPES.names)

    assert set(stages()) == set(RECIPES.names)


@pytest.mark.parametrize("recipe", RECIPES, ids=RECIPES.names)
def test_a_stage_is_scaled_on_the_backlog_of_every_topic_it_reads(recipe: Recipe) -> None:
    name = stages()[recipe.name]["metadata"]["name"]
    [spec] = [
        one["spec"]
        for one in of("ScaledObject").values()
        if one["spec"]["scaleTargetRef"]["name"] == name
    ]

    watched = [trigger["metadata"] for trigger in spec["triggers"]]

    assert spec["minReplicaCount"] == 0
    assert sorted(one["topic"] for one in watched) == sorted(recipe.topics)
    assert spec["maxReplicaCount"] <= min(PARTITIONS[topic] for topic in recipe.topics)
    for trigger in spec["triggers"]:
        assert trigger["metadata"]["consumerGroup"] == recipe.name
        assert int(trigger["metadata"]["lagThreshold"]) > 0
        # A group that never ran has its whole topic before it, as the stage itself sees it.
        assert trigger["metadata"]["offsetResetPolicy"] == "earliest"


def test_nothing_overrules_the_scaler_about_the_number_of_replicas() -> None:
    for deployment in stages().values():
        assert "replicas" not in deployment["spec"]


def test_results_stays_until_it_could_announce_what_makes_no_progress() -> None:
    partial_after_s = Settings().runtime.partial_after_s
    looks_every_s = partial_after_s / 4

    cooldown_s = of("ScaledObject")["tagger-results"]["spec"]["cooldownPeriod"]

    assert cooldown_s > partial_after_s + looks_every_s


@pytest.mark.parametrize("stage", RECIPES.names)
def test_exactly_the_stages_with_models_get_a_device(stage: str) -> None:
    pod = stages()[stage]["spec"]["template"]["spec"]
    only = container(stages()[stage])
    on_gpu = stage in RECIPES.needing("device")

    assert (only["resources"]["limits"].get("nvidia.com/gpu") == 1) == on_gpu
    assert ("nvidia.com/gpu.present" in pod.get("nodeSelector", {})) == on_gpu
    assert any(one["key"] == "nvidia.com/gpu" for one in pod.get("tolerations", [])) == on_gpu
    assert names.parsed(only["args"]).get("device") == ("cuda:0" if on_gpu else None)
    assert only["image"].endswith("-gpu" if on_gpu else "-cpu")


def test_images_are_those_of_compose() -> None:
    used = {container(workload)["image"] for workload in processes().values()}
    built = {service["image"] for service in compose("gpu").values() if "build" in service}

    assert used == built


def test_processes_are_told_settings_and_secrets_stay_out() -> None:
    [settings] = of("ConfigMap").values()

    assert set(settings["data"]) <= names.settings()
    assert not any(part in name for name in settings["data"] for part in ("KEY", "PASSWORD"))
    assert not of("Secret")
    for workload in processes().values():
        only = container(workload)
        assert "env" not in only
        assert {"configMapRef": {"name": settings["metadata"]["name"]}} in only["envFrom"]


def test_a_process_gets_the_secrets_that_it_needs_and_no_other() -> None:
    searching = set(RECIPES.needing("vectors"))
    for name, workload in processes().items():
        only = container(workload)
        wanted = {"kafka"}
        if name != "topics":
            wanted.add("dropoff" if name == "tagger-bucket" else "engine")
        if not searching.isdisjoint(names.parsed(only["args"]).get("stages", [])):
            wanted.add("qdrant")
        got = [one["secretRef"]["name"] for one in only["envFrom"] if "secretRef" in one]

        assert sorted(got) == sorted(wanted), name


def test_the_scaler_logs_in_as_the_stages_do() -> None:
    [settings] = of("ConfigMap").values()
    [login] = of("TriggerAuthentication").values()
    parameters = {one["parameter"]: one for one in login["spec"]["secretTargetRef"]}

    assert parameters["username"]["key"] == "KAFKA_SASL_USERNAME"
    assert parameters["password"]["key"] == "KAFKA_SASL_PASSWORD"
    assert {one["name"] for one in parameters.values()} == {"kafka"}
    mechanism = settings["data"]["KAFKA_SASL_MECHANISM"]
    for scaled in of("ScaledObject").values():
        for trigger in scaled["spec"]["triggers"]:
            assert trigger["authenticationRef"] == {"name": login["metadata"]["name"]}
            assert trigger["metadata"]["sasl"] == KEDA_SAYS[mechanism]


def test_every_setting_that_a_process_gets_is_one_that_settings_accept() -> None:
    [settings] = of("ConfigMap").values()
    kafka = {
        name.removeprefix("KAFKA_").lower(): value
        for name, value in settings["data"].items()
        if name.startswith("KAFKA_")
    }

    assert KafkaSettings.model_validate(kafka).security_protocol.startswith("SASL")


def test_the_scaler_finds_the_brokers_where_the_stage_does() -> None:
    [settings] = of("ConfigMap").values()

    for scaled in of("ScaledObject").values():
        for trigger in scaled["spec"]["triggers"]:
            assert trigger["metadata"]["bootstrapServersFromEnv"] in settings["data"]


def test_processes_may_do_nothing_but_their_work() -> None:
    for workload in processes().values():
        only = container(workload)
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert pod["automountServiceAccountToken"] is False
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert only["resources"]["limits"]["memory"]


def test_processes_are_asked_on_the_port_they_open_and_are_given_time_to_stop() -> None:
    for deployment in of("Deployment").values():
        only = container(deployment)
        [port] = only["ports"]
        assert port["containerPort"] == names.parsed(only["args"])["port"]
        assert only["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["name"]}
        assert only["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
        seconds = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert seconds > Settings().runtime.grace_s


def test_a_process_that_decodes_has_memory_for_its_decoders() -> None:
    media = Settings().media
    decoders_gib = media.workers * media.memory_limit_mb / 1024

    for name in ("tagger-frames", "tagger-bucket"):
        limit = container(of("Deployment")[name])["resources"]["limits"]["memory"]
        assert float(limit.removesuffix("Gi")) > decoders_gib
