"""Every profile in the registry can be chosen by its name, and says what it is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from core.profiles import DEFAULT_PROFILE, PROFILES
from core.settings import Settings, VisionSettings
from infra.wiring.vision import choose_profile


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_says_what_it_is_before_its_models_are_loaded(name: str) -> None:
    profile = choose_profile(Settings(vision=VisionSettings(profile=name)))

    assert profile.name == name
    assert all((profile.detector.version, profile.segmenter.version, profile.embedder.version))
    assert profile.embedder.dim > 0
    assert all(-1 <= cosine <= 1 for cosine in profile.embedder.duplicate_thresholds)
    assert profile.limits


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_that_cannot_read_words_says_so(name: str) -> None:
    profile = choose_profile(Settings(vision=VisionSettings(profile=name)))

    assert profile.text is not None or any("words" in limit for limit in profile.limits)


def test_a_name_that_no_profile_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValidationError, match=f"'huge'.*there are .*{DEFAULT_PROFILE}"):
        VisionSettings(profile="huge")


def test_settings_are_checked_without_a_models_packages() -> None:
    code = (
        "import sys; from core.settings import VisionSettings; VisionSettings();"
        " print([name for name in sys.modules if name.startswith('core.vision')"
        " or name in ('numpy', 'onnxruntime', 'cv2')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
