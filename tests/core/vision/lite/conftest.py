"""The lite profile, loaded once."""

from __future__ import annotations

import pytest

from core.vision.lite.network import LiteNetwork


@pytest.fixture(scope="session")
def network() -> LiteNetwork:
    return LiteNetwork(threads=1)
