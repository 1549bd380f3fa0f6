"""People in a picture: where their joints are and which pixels they cover.

Two small networks after V. Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking"
(2020), and the MediaPipe graphs that run them: one finds people on a 224 px view, the other looks
at one person upright in a 256 px square and gives 33 landmarks and a silhouette.
``train/convert_pose.py`` shows where the weights come from.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from importlib.resources import files

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from core.vision.lite.session import open_session
from core.vision.port import Image, Mask

Floats = npt.NDArray[np.float32]

_DETECTOR_SIDE = 224
_LANDMARK_SIDE = 256
_MARGIN = 1.25  # MediaPipe's: landmarks are read in the circle around a person, made this wider
_MIN_DETECTION = 0.5
_MIN_PRESENCE = 0.9
_MAX_BODIES = 4
_ALIGNMENT_CENTRE, _ALIGNMENT_RIM = 33, 34  # two more landmarks, of the circle, not of the body


class Joint(IntEnum):
    """The landmarks that are used, by their BlazePose number; left is the person's left."""

    NOSE = 0
    LEFT_EYE = 2
    RIGHT_EYE = 5
    LEFT_EAR = 7
    RIGHT_EAR = 8
    MOUTH_LEFT = 9
    MOUTH_RIGHT = 10
    LEFT_SHOULDER = 11
    RIGHT_SHOULDER = 12
    LEFT_ELBOW = 13
    RIGHT_ELBOW = 14
    LEFT_WRIST = 15
    RIGHT_WRIST = 16
    LEFT_INDEX = 19
    RIGHT_INDEX = 20
    LEFT_HIP = 23
    RIGHT_HIP = 24
    LEFT_KNEE = 25
    RIGHT_KNEE = 26
    LEFT_ANKLE = 27
    RIGHT_ANKLE = 28
    LEFT_HEEL = 29
    RIGHT_HEEL = 30
    LEFT_TOE = 31
    RIGHT_TOE = 32


_TORSO = [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP, Joint.LEFT_HIP]


@dataclass(frozen=True, slots=True)
class Body:
    """One person.

    Attributes:
        points: ``(33, 2) float32`` xy pixels of the landmarks, also guessed ones outside the image.
        visibility: ``(33,) float32`` 0 to 1, how surely a landmark is in the picture and unhidden.
        mask: ``(h, w) float32`` probability that a pixel belongs to the person.
        presence: 0 to 1, how surely the landmark network sees a person.
        detection: 0 to 1, how surely the detector does; 0 where it was not asked.
    """

    points: Floats
    visibility: Floats
    mask: Floats
    presence: float
    detection: float

    def point(self, *joints: Joint) -> Floats:
        """``(2,) float32`` mean position of ``joints``."""
        mean: Floats = self.points[list(joints)].mean(axis=0)
        return mean

    def sees(self, *joints: Joint, least: float = 0.5) -> bool:
        """Whether all ``joints`` are likely visible."""
        return bool(self.visibility[list(joints)].min() >= least)

    def trunk(self) -> Mask:
        """``(h, w) bool`` the quadrangle between shoulders and hips."""
        area = np.zeros(self.mask.shape, np.uint8)
        cv2.fillConvexPoly(area, cv2.convexHull(self.points[_TORSO].astype(np.int32)), 1)
        inside: Mask = area > 0
        return inside

    def along(self, start: Joint, end: Joint, thickness: float) -> Mask:
        """``(h, w) bool`` a stroke from one landmark to another.

        Args:
            start, end: the landmarks.
            thickness: of the stroke, in torso lengths.
        """
        area = np.zeros(self.mask.shape, np.uint8)
        (x0, y0), (x1, y1) = self.points[[start, end]].astype(int).tolist()
        cv2.line(area, (x0, y0), (x1, y1), 1, max(1, int(thickness * self.torso)))
        inside: Mask = area > 0
        return inside

    @property
    def torso(self) -> float:
        """Pixels from mid-shoulder to mid-hip: the length everything else is measured in."""
        shoulders = self.point(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
        hips = self.point(Joint.LEFT_HIP, Joint.RIGHT_HIP)
        return float(np.linalg.norm(hips - shoulders))


@dataclass(frozen=True, slots=True)
class _Circle:
    """Where a person may be: a centre and a point on the rim, straight up from it."""

    centre: Floats
    rim: Floats
    score: float

    @property
    def side(self) -> float:
        return float(np.linalg.norm(self.rim - self.centre)) * 2 * _MARGIN

    def square(self) -> Floats:
        """``(2, 3) float32`` affine map from the landmark network's square to the image."""
        up = self.rim - self.centre
        turn = math.pi / 2 - math.atan2(-float(up[1]), float(up[0]))
        scale = self.side / _LANDMARK_SIDE
        cos, sin = math.cos(turn) * scale, math.sin(turn) * scale
        linear = np.array([[cos, -sin], [sin, cos]], np.float32)
        shift = self.centre - linear @ np.full(2, _LANDMARK_SIDE / 2, np.float32)
        return np.column_stack([linear, shift]).astype(np.float32)


class PoseModels:
    """Both networks, loaded once; safe to call from several threads."""

    def __init__(self, threads: int = 0, device: str = "cpu") -> None:
        """Read the weights; the first inference loads them.

        Args:
            threads: of each inference; 0 leaves it to onnxruntime.
            device: ``cpu``, ``cuda`` or ``cuda:N``.
        """
        folder = files("core.vision.lite") / "weights"
        self._weights = [
            (folder / name).read_bytes() for name in ("pose_detection.onnx", "pose_landmark.onnx")
        ]
        self._threads = threads
        self._device = device
        self._loading = threading.Lock()
        self._sessions: tuple[ort.InferenceSession, ort.InferenceSession] | None = None
        self._anchors = _anchors()

    def load(self) -> tuple[ort.InferenceSession, ort.InferenceSession]:
        """Detector and landmarks, ready; raises SettingsError without the device."""
        with self._loading:
            if self._sessions is None:
                detector, landmarks = (
                    open_session(w, self._threads, self._device) for w in self._weights
                )
                self._sessions = detector, landmarks
            return self._sessions

    @cached_property
    def version(self) -> str:
        """Eight hex digits of the weights' SHA-256, and the two thresholds."""
        digest = hashlib.sha256(b"".join(self._weights)).hexdigest()[:8]
        return f"blazepose-{digest}-{_MIN_DETECTION}-{_MIN_PRESENCE}"

    def find(self, image: Image) -> list[Body]:
        """The people in ``image``, ``(h, w, 3) uint8`` RGB, the most certain first; one body each.

        A person may raise several detections (a reflection in sequins, a print on a shirt): of two
        bodies whose silhouettes or torsos lie over each other the larger stays.
        """
        found = [self._body(image, circle) for circle in self._circles(image)]
        sure = [body for body in found if body is not None]
        sure.sort(key=lambda body: body.torso, reverse=True)
        kept: list[Body] = []
        for body in sure:
            if not any(_same_person(body, other) for other in kept):
                kept.append(body)
        return sorted(kept, key=lambda body: body.presence, reverse=True)

    def guess(self, image: Image) -> Body | None:
        """The one person that a picture cropped below the face may show, or None.

        The detector looks for faces first and misses such people; the landmark network does not
        need one. It is tried on two circles around the middle of the picture, and believed only
        where both lead to the same torso. That alone is not proof: a coat on a hanger has a torso.
        """
        height, width = image.shape[:2]
        bodies = []
        for hips, reach in ((0.3, 0.7), (0.1, 0.8)):
            centre = np.array([width / 2, hips * height], np.float32)
            rim = centre - np.array([0, reach * height], np.float32)
            body = self._body(image, _Circle(centre, rim, 0.0))
            if body is None:
                return None
            bodies.append(body)
        corners = [body.points[_TORSO] for body in bodies]
        gap = float(np.linalg.norm(corners[0] - corners[1], axis=1).max())
        agreed = gap < 0.3 * max(body.torso for body in bodies)
        return max(bodies, key=lambda body: body.presence) if agreed else None

    def _circles(self, image: Image) -> Iterator[_Circle]:
        """Detections, the best first, without those that overlap a better one."""
        view, scale, left, top = _letterbox(image, _DETECTOR_SIDE)
        pixels = view[None].astype(np.float32) / 127.5 - 1
        detector, _ = self._sessions or self.load()
        boxes, scores = detector.run(["boxes", "scores"], {"image": pixels})
        probability = _sigmoid(scores[0, :, 0])
        candidates = np.flatnonzero(probability >= _MIN_DETECTION)
        kept: list[_Circle] = []
        for index in candidates[np.argsort(-probability[candidates])]:
            points = boxes[0, index].reshape(6, 2)[2:4] + self._anchors[index] * _DETECTOR_SIDE
            points = (points - (left, top)) / scale
            circle = _Circle(points[0], points[1], float(probability[index]))
            reach = 0.35 * circle.side / 2
            if all(np.linalg.norm(circle.centre - k.centre) > reach for k in kept):
                kept.append(circle)
                yield circle
            if len(kept) == _MAX_BODIES:
                return

    def _body(self, image: Image, circle: _Circle) -> Body | None:
        """Read the landmarks twice: the first reading centres the second, as when tracking."""
        first = self._read(image, circle)
        if first.presence < _MIN_DETECTION:
            return None
        better = _Circle(
            first.points[_ALIGNMENT_CENTRE], first.points[_ALIGNMENT_RIM], circle.score
        )
        body = first
        if 0.5 < better.side / circle.side < 2:
            second = self._read(image, better)
            body = second if second.presence >= first.presence - 0.1 else first
        return body if body.presence >= _MIN_PRESENCE else None

    def _read(self, image: Image, circle: _Circle) -> Body:
        """One pass of the landmark network; ``points`` still holds the circle's own two."""
        square = circle.square()
        size = (_LANDMARK_SIDE, _LANDMARK_SIDE)
        inverse = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        view = cv2.warpAffine(image, square, size, flags=inverse)
        _, network = self._sessions or self.load()
        landmarks, presence, mask = network.run(
            ["landmarks", "presence", "mask"], {"image": view[None].astype(np.float32) / 255}
        )
        rows = landmarks.reshape(39, 5)[:35]
        points = rows[:, :2] @ square[:, :2].T + square[:, 2]
        height, width = image.shape[:2]
        silhouette = cv2.warpAffine(
            _sigmoid(mask[0, :, :, 0]), square, (width, height), flags=cv2.INTER_LINEAR
        )
        return Body(
            points=points.astype(np.float32),
            visibility=_sigmoid(rows[:, 3:5]).min(axis=1),
            mask=silhouette.astype(np.float32),
            presence=float(presence[0, 0]),
            detection=circle.score,
        )


def _same_person(one: Body, other: Body) -> bool:
    """Whether two readings show one person: torsos near each other, or one mask in the other."""
    gap = float(np.linalg.norm(one.point(*_TORSO) - other.point(*_TORSO)))
    if gap < 0.6 * max(one.torso, other.torso):
        return True
    mine, theirs = one.mask > 0.5, other.mask > 0.5
    smaller = min(int(mine.sum()), int(theirs.sum()))
    return int((mine & theirs).sum()) > 0.5 * max(1, smaller)


def _letterbox(image: Image, side: int) -> tuple[Image, float, int, int]:
    """Fit into a black square; returns it, the scale, and the left and top border in pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, fitted, interpolation=method)
    left, top = (side - fitted[0]) // 2, (side - fitted[1]) // 2
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + fitted[1], left : left + fitted[0]] = small
    return square, scale, left, top


def _anchors() -> Floats:
    """``(2254, 2) float32`` centres of the detector's anchors, 0 to 1, in its output order."""
    rows = []
    for stride, count in ((8, 2), (16, 2), (32, 6)):
        cells = _DETECTOR_SIDE // stride
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        rows.append(np.repeat(centres, count, axis=0))
    return np.concatenate(rows).astype(np.float32)


def _sigmoid(logits: Floats) -> Floats:
    probability: Floats = (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)
    return probability
