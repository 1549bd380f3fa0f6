"""The Dockerfiles, and what goes into the images."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.infra.deploy.tools import ROOT
from tests.servers.cache import run
from tests.servers.session import unavailable

FOLDER = ROOT / "infra" / "docker"
DOCKERFILES = sorted(FOLDER.glob("*.Dockerfile"), key=lambda file: file.name)
IMAGES = {"cpu": "3.11", "gpu": "3.12"}
"""Which Python each has."""


def instructions(dockerfile: Path) -> list[list[str]]:
    """Its logical lines, split at blanks."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    return [line.split() for line in "\n".join(lines).replace("\\\n", "").splitlines() if line]


def pins(file: Path, python: str) -> dict[str, str]:
    """Library to version, for one Python."""
    environment = {"python_full_version": f"{python}.0", "python_version": python}
    lines = (line.removesuffix("\\").strip() for line in file.read_text().splitlines())
    requirements = [Requirement(line) for line in lines if line and line[0] not in "#-"]
    return {
        one.name: str(one.specifier).removeprefix("==")
        for one in requirements
        if one.marker is None or one.marker.evaluate(environment)
    }


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.name)
def test_a_linter_has_nothing_to_say(dockerfile: Path) -> None:
    beside_python = Path(sys.executable).with_name("hadolint")  # where pip puts it
    linter = shutil.which(beside_python) or shutil.which("hadolint")
    if linter is None:
        unavailable("hadolint is not installed")

    run([linter, "--failure-threshold", "style", str(dockerfile)])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_runs_the_command_line_as_a_numbered_user(dockerfile: Path) -> None:
    last = {words[0]: words[1:] for words in instructions(dockerfile)}

    user, group = last["USER"][0].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert last["ENTRYPOINT"] == ['["tagger"]']


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.name)
def test_a_changed_source_leaves_the_layer_of_the_libraries_alone(dockerfile: Path) -> None:
    said = instructions(dockerfile)

    source = said.index(["COPY", ".", "."])
    libraries = next(i for i, words in enumerate(said) if "--requirement" in words)

    assert libraries < source
    assert said[source + 1] == ["RUN", "pip", "install", "--no-deps", "."]


def test_the_build_sees_what_the_wheel_is_made_of_and_no_secret() -> None:
    ignored, *allowed = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert ignored == "*"
    for needed in (*wheel, "pyproject.toml", "README.md", "LICENSE"):
        assert f"!{needed}" in allowed
    assert not any(".env" in line for line in allowed)


@pytest.mark.parametrize(("image", "python"), IMAGES.items())
def test_an_image_installs_what_the_project_asks_for_as_it_is_locked(
    image: str, python: str
) -> None:
    """When it does not: infra/docker/pins.sh makes both files anew."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {one.name: one for one in map(Requirement, project["dependencies"])}
    if image == "gpu":
        del wanted["onnxruntime"]
    pinned = pins(FOLDER / f"requirements-{image}.txt", python)
    locked = pins(ROOT / "requirements.lock", python)

    assert wanted.keys() <= pinned.keys()
    assert [one for name, one in wanted.items() if pinned[name] not in one.specifier] == []
    assert {n: v for n, v in pinned.items() if locked.get(n) != v}.keys() <= {"onnxruntime-gpu"}


def test_the_lock_covers_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = pins(ROOT / "requirements.lock", "3.11")

    extras = project["optional-dependencies"].values()
    wanted = [Requirement(one) for extra in extras for one in extra]

    assert [
        one for one in wanted if locked.get(canonicalize_name(one.name)) not in one.specifier
    ] == []


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_installs_nothing_without_a_hash(image: str) -> None:
    file = f"requirements-{image}.txt"
    text = (FOLDER / file).read_text()
    [install] = [
        words for words in instructions(FOLDER / f"{image}.Dockerfile") if "--requirement" in words
    ]

    assert install[-3:] == ["--require-hashes", "--requirement", file]
    assert "://" not in text
    assert [p for p in text.split("\n") if "==" in p and not p.endswith("\\")] == []


def test_the_gpu_image_puts_its_runtime_in_the_place_of_the_cpu_one() -> None:
    cpu, gpu = (pins(FOLDER / f"requirements-{image}.txt", IMAGES[image]) for image in IMAGES)

    assert {"onnxruntime"} == {"onnxruntime", "onnxruntime-gpu"} & cpu.keys()
    assert {"onnxruntime-gpu"} == {"onnxruntime", "onnxruntime-gpu"} & gpu.keys()
