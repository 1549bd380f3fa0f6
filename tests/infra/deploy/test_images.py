"""The Dockerfiles, and what goes into the images."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.infra.deploy.tools import ROOT
from tests.servers.cache import run
from tests.servers.session import unavailable

FOLDER = ROOT / "infra" / "docker"
DOCKERFILES = sorted(FOLDER.glob("*.Dockerfile"), key=lambda file: file.name)
PYTHONS = ("3.11", "3.12")
"""Of the CPU image and of the GPU image."""


def instructions(dockerfile: Path) -> list[list[str]]:
    """Its logical lines, split at blanks."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    return [line.split() for line in "\n".join(lines).replace("\\\n", "").splitlines() if line]


def pins(python: str) -> dict[str, str]:
    """Library to version, for one Python."""
    environment = {"python_full_version": f"{python}.0", "python_version": python}
    lines = (FOLDER / "requirements.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if not line.startswith("#")]
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


@pytest.mark.parametrize("python", PYTHONS)
def test_pins_satisfy_the_project(python: str) -> None:
    """When they don't: the first lines of requirements.txt say how it is made."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = pins(python)

    for wanted in map(Requirement, project["dependencies"]):
        assert wanted.name in pinned
        assert wanted.specifier.contains(pinned[wanted.name]), wanted


def test_the_gpu_image_puts_its_runtime_in_the_place_of_the_cpu_one() -> None:
    [replace] = [
        words for words in instructions(FOLDER / "gpu.Dockerfile") if words[:2] == ["RUN", "sed"]
    ]

    _, pattern, replacement, _ = replace[3].strip("'").split("/")

    assert pattern == "^onnxruntime==.*"
    assert "onnxruntime" in pins("3.12")
    assert Requirement(replacement).name == "onnxruntime-gpu"
