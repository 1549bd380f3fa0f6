"""Names that deployment files must agree on with the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import typer
from prometheus_client import REGISTRY
from typer.core import TyperGroup

from core import telemetry
from infra.cli import app
from infra.contract.settings_table import settings_table


def settings() -> set[str]:
    """Every environment variable that sets something."""
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", settings_table()))


def series() -> set[str]:
    """Every series that our processes export, Prometheus' own ``up`` included."""
    assert telemetry.HANDLED  # imported, so that its metrics are registered
    exported = {"up"}
    for metric in REGISTRY.collect():
        endings = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_sum", "_count"),
        }.get(metric.type, ("",))
        exported |= {metric.name + ending for ending in endings}
    return exported


def parsed(words: Iterable[str]) -> Mapping[str, Any]:
    """The parameters that the real command line takes from words; runs nothing.

    Raises:
        click.UsageError: there is no such command, option or argument.
    """
    command, name, words = typer.main.get_command(app), "tagger", list(words)
    while True:
        context = command.make_context(name, list(words))
        if not isinstance(context.command, TyperGroup):
            return context.params
        name, *words = words
        found = context.command.get_command(context, name)
        assert found is not None, f"tagger has no command {name}"
        command = found
