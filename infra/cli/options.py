"""What commands share: options, and settings made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError as UnreadableError

from core.errors import SettingsError
from core.settings import KafkaSettings, QdrantSettings, S3Settings, Settings
from core.telemetry import configure_logging
from core.tracing.traces import configure_tracing

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder the engine keeps everything in, else $TAGGER_DATA_DIR, else tagger-data.",
        file_okay=False,
        show_default=False,
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        help="Port of /healthz, /readyz and /metrics, else $TAGGER_HTTP_PORT, else none.",
        min=0,
        max=65535,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


_PREFIXES = {
    kind.__name__: str(kind.model_config.get("env_prefix"))
    for kind in (KafkaSettings, S3Settings, QdrantSettings)
}


def group(doc: str) -> typer.Typer:
    """An app of several commands; ``doc`` is what its help begins with."""
    app = typer.Typer(help=doc, no_args_is_help=True, add_completion=False)
    app.callback()(_nothing)  # without one, an app of one command is that command
    return app


def single() -> typer.Typer:
    """An app of one command."""
    return typer.Typer(add_completion=False)


def load_settings(data_dir: Path | None, **given: Any) -> Settings:
    """The settings, with what the command line gives in place of the environment's; None gives
    nothing. Also points the logs where the settings say.

    Raises:
        SettingsError: a setting is not what it must be; the message names it.
    """
    chosen = {"data_dir": data_dir, **given}
    try:
        settings = Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "__".join(str(part).upper() for part in first["loc"])
        name = name if name.startswith("TAGGER_") else _PREFIXES.get(error.title, "TAGGER_") + name
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"setting {name}: {reason}") from None
    except UnreadableError as error:  # its own cause would show the value
        raise SettingsError(f"a section of the settings is no JSON: {error}") from None
    configure_logging(settings.log_level, settings.log_style)
    configure_tracing(settings.otlp_endpoint)
    return settings


def existing_data(settings: Settings) -> None:
    """For commands that only read: a mistyped folder is an error, not a new one.

    Raises:
        SettingsError: there is no data folder yet.
    """
    if not settings.clustered and not (settings.data_dir / "engine.db").exists():
        raise SettingsError(
            f"there is no data folder {settings.data_dir} yet: name another one with --data-dir,"
            " or tag something first with `tagger submit FILE --wait` or `tagger run --watch DIR`"
        )


def only_given(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """A section of the settings from options, without those that were not given."""
    return {name: value for name, value in options.items() if value is not None} or None


def _nothing() -> None:
    return None
