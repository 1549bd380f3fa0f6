"""Composition of the vision profile, from settings alone."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from core.profiles import PROFILES
from core.settings import Settings, VisionSettings
from core.vision.port import Profile


def choose_profile(settings: Settings) -> Profile:
    """The profile that the settings name, to be loaded by the stages that run its models.

    Raises:
        SettingsError: its weights are missing or damaged.
    """
    module = import_module(PROFILES[settings.vision.profile])
    make: Callable[[VisionSettings], Profile] = module.make_profile
    return make(settings.vision)
