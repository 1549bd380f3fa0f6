"""What reads deployment files as their users' tools do, without an engine or a cluster. Each is
built by Go once and kept; where it cannot be had, the test that asks is skipped with the reason."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

from tests.servers.cache import Cached, FetchError, run
from tests.servers.session import unavailable

ROOT = Path(__file__).parents[3]
"""The checkout: where compose.yaml is."""

_COMPOSE = Path(__file__).with_name("compose")
_KEDA = "v2.21.0"


@cache
def compose(profile: str) -> dict[str, Any]:
    """The services of compose.yaml that start with a profile ("" is none), as Docker Compose
    understands them, with a filled-in ``.env``."""
    done = run(
        [str(_kept(_composer) / "compose"), str(ROOT / "compose.yaml")],
        env={**filled_env(), "COMPOSE_PROFILES": profile},
    )
    services: dict[str, Any] = json.loads(done)["services"]
    return services


def refused_compose(missing: str) -> str:
    """What Docker Compose says when a variable of ``.env`` is left empty."""
    env = {**filled_env(), missing: ""}
    try:
        run([str(_kept(_composer) / "compose"), str(ROOT / "compose.yaml")], env=env)
    except FetchError as error:
        return str(error)
    return "not refused"


def filled_env() -> dict[str, str]:
    """``.env.example`` with something behind every name."""
    given = dotenv_values(ROOT / ".env.example")
    return {name: value or f"/filled/{name.lower()}" for name, value in given.items()}


@cache
def manifests() -> list[dict[str, Any]]:
    """What ``kubectl apply --kustomize infra/k8s`` sends to a cluster."""
    binary = str(_kept(_kustomize) / "kustomize")
    return list(yaml.safe_load_all(run([binary, "build", str(ROOT / "infra" / "k8s")])))


@cache
def keda_schema(kind: str) -> Mapping[str, Any]:
    """The OpenAPI schema of one of KEDA's own resources, made to refuse what it does not know: a
    cluster would drop that silently."""
    crd = _keda() / "config" / "crd" / "bases" / f"keda.sh_{kind.lower()}s.yaml"
    [version] = yaml.safe_load(crd.read_text())["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    _close(schema)
    return schema


def kafka_trigger_keys() -> set[str]:
    """What a ScaledObject may say in the metadata of a Kafka trigger. No schema knows; KEDA's
    source does."""
    source = (_keda() / "pkg" / "scalers" / "kafka_scaler.go").read_text()
    known = re.findall(r'keda:"name=(\w+),order=([^",]*)', source)
    keys = {name for name, order in known if "triggerMetadata" in order}
    return keys | {f"{name}FromEnv" for name, order in known if "resolvedEnv" in order}


def _keda() -> Path:
    """The module's source, which Go keeps."""
    module = f"github.com/kedacore/keda/v2@{_KEDA}"
    try:
        found = run(["go", "mod", "download", "-json", module])
    except FetchError as error:
        unavailable(f"no KEDA: {error}")
    return Path(json.loads(found)["Dir"])


def _close(schema: dict[str, Any]) -> None:
    """Refuses unknown fields wherever a schema lists the known ones."""
    for one in (*schema.get("properties", {}).values(), schema.get("items")):
        if isinstance(one, dict):
            _close(one)
    if "properties" in schema:
        schema["additionalProperties"] = False


def promtool(*arguments: str) -> None:
    """Runs Prometheus' checker; raises FetchError with what it finds wrong."""
    run([str(_kept(_promtool) / "promtool"), *arguments])


def minio_client() -> Path:
    """The folder that holds ``mc``."""
    return _kept(_mc)


def _build_composer(folder: Path) -> None:
    run(["go", "build", "-o", str(folder / "compose"), "."], folder=_COMPOSE)


def _composer_version() -> str:
    made_of = b"".join((_COMPOSE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    return hashlib.sha256(made_of).hexdigest()[:12]


def _go_tool(module: str, version: str, name: str, tags: str = "") -> Cached:
    def build(folder: Path) -> None:
        install = ["go", "install", "-ldflags=-s -w", f"-tags={tags}", f"{module}@{version}"]
        run(install, env={"GOBIN": str(folder)})

    return Cached(f"{name}-{version}", build)


def _kept(tool: Cached) -> Path:
    try:
        return tool.folder()
    except FetchError as error:
        unavailable(f"no {tool.name}: {error}")


# Of the ways to find targets only DNS is built into promtool: the others double what there is to
# compile.
_promtool = _go_tool(
    "github.com/prometheus/prometheus/cmd/promtool",
    *("v0.316.0", "promtool", "remove_all_sd,enable_dns_sd"),
)
_kustomize = _go_tool("sigs.k8s.io/kustomize/kustomize/v5", "v5.7.1", "kustomize")
_mc = _go_tool("github.com/minio/mc", "v0.0.0-20250313080218-cf909e1063a9", "mc")
_composer = Cached(f"compose-{_composer_version()}", _build_composer)
