"""The lite profile, loaded once; and what trains it, which is no part of the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

import core.vision.lite
from core.vision.lite.network import LiteNetwork

# Where the tests meet an installed wheel, training comes from the checkout.
core.vision.lite.__path__.append(str(Path(__file__).parents[4] / "core" / "vision" / "lite"))


@pytest.fixture(scope="session")
def network() -> LiteNetwork:
    return LiteNetwork(threads=1)
