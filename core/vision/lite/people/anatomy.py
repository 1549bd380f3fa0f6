"""A body's own map: what each pixel around a pose is likely to show, before any colour is seen.

Every pixel is measured against the bones of a pose (soft capsules, so a bent or crossed limb needs
no special case); each bone has an opinion about what covers it, and the opinions are mixed by
nearness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np

from core.vision.lite.people.pose import Body, Floats, Joint

# Half-widths of the limbs, in torso lengths.
_HEAD, _NECK, _ARM, _FOREARM, _HAND = 0.24, 0.12, 0.14, 0.10, 0.10
_FLANK, _THIGH, _SHIN, _FOOT = 0.20, 0.21, 0.14, 0.12
_HIDDEN = 0.35  # an unseen limb's opinion counts this much less sharply


class Cover(IntEnum):
    """What a pixel shows. The order is the order of every stack of maps."""

    BACKGROUND = 0
    SKIN = 1
    HAIR = 2
    TOP = 3
    BOTTOM = 4
    SHOES = 5


@dataclass(frozen=True, slots=True)
class _Bone:
    """A capsule with what is expected at its start and at its end (skin, hair, top, bottom, shoes).

    Opinions in between are mixed linearly.
    """

    start: Floats
    end: Floats
    radius: float
    at_start: tuple[float, float, float, float, float]
    at_end: tuple[float, float, float, float, float]
    weight: float = 1.0


def expectation(body: Body, width: int, height: int) -> Floats:
    """How likely each cover is at each pixel of the person, from the pose alone.

    Args:
        body: landmarks and silhouette, in pixels of the view.
        width, height: of the view. The maps are smooth, so they are made at a quarter of its size
            and then enlarged.

    Returns:
        ``(6, height, width) float32``, summing to 1 over :class:`Cover`.
    """
    size = (width, height)
    coarse = (max(1, size[0] // 4), max(1, size[1] // 4))
    ys, xs = np.mgrid[: coarse[1], : coarse[0]].astype(np.float32) + 0.5
    spot = np.stack([xs * (width / coarse[0]), ys * (height / coarse[1])], axis=-1)

    opinions = np.full((5, coarse[1], coarse[0]), 1e-4, np.float32)
    total = np.full((coarse[1], coarse[0]), 5e-4, np.float32)
    for bone in _bones(body):
        along, away = _measure(spot, bone)
        weight = bone.weight * np.exp(-0.5 * np.square(away / bone.radius) * 2)
        start, end = (np.array(o, np.float32)[:, None, None] for o in (bone.at_start, bone.at_end))
        opinions += weight * (start + (end - start) * along)
        total += weight
    opinions /= opinions.sum(axis=0)
    enlarged = np.stack([cv2.resize(o, size) for o in opinions])

    blur = max(1.0, 0.04 * body.torso)
    inside = np.clip(cv2.GaussianBlur(body.mask, (0, 0), blur), 0.07, 0.93)
    return np.concatenate([(1 - inside)[None], enlarged * inside]).astype(np.float32)


def _measure(spot: Floats, bone: _Bone) -> tuple[Floats, Floats]:
    """Position along a bone, 0 to 1, and distance from it in pixels."""
    axis = bone.end - bone.start
    length = max(1e-3, float(axis @ axis))
    along = np.clip((spot - bone.start) @ axis / length, 0, 1).astype(np.float32)
    away = np.linalg.norm(spot - (bone.start + along[..., None] * axis), axis=-1)
    return along, away.astype(np.float32)


def _bones(body: Body) -> Iterator[_Bone]:
    """All capsules of a body. Opinions are (skin, hair, top, bottom, shoes)."""
    torso = max(body.torso, 1.0)
    shoulders = body.point(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    hips = body.point(Joint.LEFT_HIP, Joint.RIGHT_HIP)
    eyes = body.point(Joint.LEFT_EYE, Joint.RIGHT_EYE)
    mouth = body.point(Joint.MOUTH_LEFT, Joint.MOUTH_RIGHT)

    crown, chin = eyes + 1.6 * (eyes - mouth), mouth - 0.5 * (eyes - mouth)
    face = float(np.linalg.norm(eyes - mouth)) or 1.0
    yield _Bone(chin, eyes, face * 1.1, (0.85, 0.1, 0.05, 0, 0), (0.6, 0.4, 0, 0, 0), 2.0)
    yield _Bone(eyes, crown, face * 1.5, (0.5, 0.5, 0, 0, 0), (0.05, 0.95, 0, 0, 0))
    yield _Bone(chin, shoulders, _NECK * torso, (0.8, 0.1, 0.1, 0, 0), (0.35, 0.05, 0.6, 0, 0))

    # The trunk, three columns wide; what is worn changes from top to bottom about the waist.
    waist = shoulders + 0.75 * (hips - shoulders)
    for side in (-0.6, 0.0, 0.6):
        across = side * 0.5
        top_shift = across * (body.points[Joint.LEFT_SHOULDER] - body.points[Joint.RIGHT_SHOULDER])
        low_shift = across * (body.points[Joint.LEFT_HIP] - body.points[Joint.RIGHT_HIP])
        bare = 0.2 if side == 0 else 0.12
        yield _Bone(
            shoulders + top_shift,
            waist + low_shift,
            _FLANK * torso,
            (bare, 0.05, 0.93 - bare, 0.02, 0),
            (0.08, 0.01, 0.58, 0.33, 0),
            1.5,
        )
        yield _Bone(
            waist + low_shift,
            hips + 0.15 * (hips - waist) + low_shift,
            _FLANK * torso,
            (0.08, 0.01, 0.58, 0.33, 0),
            (0.03, 0, 0.27, 0.7, 0),
            1.5,
        )
    for side_joints in _SIDES:
        yield from _limbs(body, torso, *side_joints)


_SIDES = (
    tuple(j for j in Joint if j.name.startswith("LEFT_") and j >= Joint.LEFT_SHOULDER),
    tuple(j for j in Joint if j.name.startswith("RIGHT_") and j >= Joint.RIGHT_SHOULDER),
)


def _limbs(body: Body, torso: float, *joints: Joint) -> Iterator[_Bone]:
    """Arm and leg of one side."""
    shoulder, elbow, wrist, index, hip, knee, ankle, heel, toe = (body.points[j] for j in joints)
    seen = {j: max(_HIDDEN, float(body.visibility[j])) for j in joints}
    _, j_elbow, j_wrist, _, _, j_knee, j_ankle, _, j_toe = joints
    sleeve, bare = (0.4, 0, 0.59, 0.01, 0), (0.62, 0, 0.34, 0.04, 0)
    fingers = wrist + 1.8 * (index - wrist)
    yield _Bone(shoulder, elbow, _ARM * torso, sleeve, bare, seen[j_elbow])
    yield _Bone(elbow, wrist, _FOREARM * torso, bare, bare, 1.5 * seen[j_wrist])
    yield _Bone(wrist, fingers, _HAND * torso, (0.8, 0, 0.1, 0.1, 0), (0.85, 0, 0.03, 0.12, 0), 2.0)
    yield _Bone(
        hip, knee, _THIGH * torso, (0.05, 0, 0.15, 0.8, 0), (0.3, 0, 0.04, 0.66, 0), seen[j_knee]
    )
    yield _Bone(
        knee, ankle, _SHIN * torso, (0.35, 0, 0.03, 0.62, 0), (0.4, 0, 0, 0.4, 0.2), seen[j_ankle]
    )
    yield _Bone(
        ankle, heel, _FOOT * torso, (0.35, 0, 0, 0.35, 0.3), (0.15, 0, 0, 0.1, 0.75), seen[j_toe]
    )
    tip = toe + 0.2 * (toe - heel)
    yield _Bone(
        heel, tip, _FOOT * torso, (0.15, 0, 0, 0.1, 0.75), (0.15, 0, 0, 0, 0.85), seen[j_toe]
    )
