"""The table of settings, made from the settings themselves, and its place in a document."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from core.errors import SettingsError
from core.settings import Settings

_BEGIN = "<!-- settings -->"
_END = "<!-- /settings -->"
_PREFIX = "TAGGER_"


def settings_table() -> str:
    """Markdown: a row a setting, in the order they are declared."""
    rows = ["| setting | default | what it does |", "|---|---|---|"]
    rows += _rows(Settings, _PREFIX)
    return "\n".join(rows)


def with_table(document: str) -> str:
    """The document with today's table between its two markers.

    Raises:
        SettingsError: the markers are not there, once each and in order.
    """
    before, begin, rest = document.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end or _BEGIN in after or _END in after:
        raise SettingsError(f"the table's place is between {_BEGIN} and {_END}, once each")
    return f"{before}{_BEGIN}\n{settings_table()}\n{_END}{after}"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            own = kind.model_config.get("env_prefix") if issubclass(kind, BaseSettings) else None
            yield from _rows(kind, str(own or f"{prefix}{name.upper()}__"))
        else:
            meaning = " ".join((field.description or "").split()).replace("|", "\\|")
            yield f"| {_names(prefix, name, field)} | {_default(field)} | {meaning} |"


def _names(prefix: str, name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [prefix + name.upper()]
    return " or ".join(f"`{each}`" for each in names)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None:
        return "the model's own"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else "empty"
