"""The least score of a hit, as Qdrant's engine counts."""

from __future__ import annotations

import numpy as np


def just_below(min_score: float) -> float:
    """The greatest float32 below: the engine leaves out scores that equal its threshold, and the
    port's hits have at least ``min_score``."""
    return float(np.nextafter(np.float32(min_score), np.float32(-np.inf)))
