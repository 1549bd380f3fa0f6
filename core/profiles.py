"""The vision profiles there are.

Importing this module imports none of them, so that settings are checked, and help is printed, on
hosts that have no model's packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULT_PROFILE: Final = "lite"

PROFILES: Final[Mapping[str, str]] = {"lite": "core.vision.lite.profile"}
"""Name to module; its ``make_profile`` takes the vision settings and gives a
:class:`~core.vision.port.Profile` of that name, or raises SettingsError where its weights are
missing or damaged."""
