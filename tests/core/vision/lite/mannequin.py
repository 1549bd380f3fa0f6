"""A dressed figure drawn by code, with the pose a network would read off it and the true masks."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.people.pose import Body, Joint
from core.vision.port import Image, Mask

Colour = tuple[int, int, int]

SKIN: Colour = (224, 172, 138)
DARK_SKIN: Colour = (110, 72, 50)
GROUND: Colour = (205, 210, 216)
WIDTH, HEIGHT = 300, 480

_POINTS = {
    Joint.NOSE: (150, 62),
    Joint.LEFT_EYE: (159, 54),
    Joint.RIGHT_EYE: (141, 54),
    Joint.LEFT_EAR: (168, 58),
    Joint.RIGHT_EAR: (132, 58),
    Joint.MOUTH_LEFT: (155, 74),
    Joint.MOUTH_RIGHT: (145, 74),
    Joint.LEFT_SHOULDER: (186, 112),
    Joint.RIGHT_SHOULDER: (114, 112),
    Joint.LEFT_ELBOW: (214, 170),
    Joint.RIGHT_ELBOW: (86, 170),
    Joint.LEFT_WRIST: (232, 224),
    Joint.RIGHT_WRIST: (68, 224),
    Joint.LEFT_INDEX: (238, 244),
    Joint.RIGHT_INDEX: (62, 244),
    Joint.LEFT_HIP: (172, 228),
    Joint.RIGHT_HIP: (128, 228),
    Joint.LEFT_KNEE: (176, 328),
    Joint.RIGHT_KNEE: (124, 328),
    Joint.LEFT_ANKLE: (178, 424),
    Joint.RIGHT_ANKLE: (122, 424),
    Joint.LEFT_HEEL: (178, 440),
    Joint.RIGHT_HEEL: (122, 440),
    Joint.LEFT_TOE: (186, 452),
    Joint.RIGHT_TOE: (114, 452),
}


@dataclass
class Mannequin:
    """A figure, undressed until told otherwise; 300 x 480 pixels, facing the camera.

    Attributes:
        skin: its colour, RGB.
        worn: true mask of each piece put on, ``(480, 300) bool``.
    """

    skin: Colour = SKIN
    worn: dict[str, Mask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._picture = np.full((HEIGHT, WIDTH, 3), GROUND, np.uint8)
        self._outline = np.zeros((HEIGHT, WIDTH), np.uint8)
        self._paint(self.skin, self._flesh())
        hair = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.ellipse(hair, (150, 44), (25, 22), 0, 180, 360, 1, -1)
        self._paint((40, 28, 22), hair)

    def top(self, colour: Colour, hem: int = 225, sleeves: bool = False) -> Mannequin:
        """Put on a top that ends at row ``hem``, to the elbows or with long ``sleeves``."""
        area = np.zeros((HEIGHT, WIDTH), np.uint8)
        outline = [(112, 100), (188, 100), (198, 120), (184, hem), (116, hem), (102, 120)]
        cv2.fillPoly(area, [np.array(outline, np.int32)], 1)
        for side in ("LEFT", "RIGHT"):
            self._limb(area, (f"{side}_SHOULDER", f"{side}_ELBOW"), 28, 0.6 if not sleeves else 1)
            if sleeves:
                self._limb(area, (f"{side}_ELBOW", f"{side}_WRIST"), 24, 0.9)
        return self._wear("top", colour, area)

    def jacket(self, colour: Colour, hem: int = 240) -> Mannequin:
        """Put on an open jacket with long sleeves, over what is worn already."""
        area = np.zeros((HEIGHT, WIDTH), np.uint8)
        for side, x in (("LEFT", 1), ("RIGHT", -1)):
            front = [(12, 100), (38, 100), (50, 120), (38, hem), (16, hem)]
            cv2.fillPoly(area, [np.array([(150 + x * dx, y) for dx, y in front], np.int32)], 1)
            self._limb(area, (f"{side}_SHOULDER", f"{side}_ELBOW"), 28, 1)
            self._limb(area, (f"{side}_ELBOW", f"{side}_WRIST"), 24, 0.9)
        return self._wear("jacket", colour, area)

    def trousers(self, colour: Colour, waist: int = 218) -> Mannequin:
        area = self._hips(waist)
        for side in ("LEFT", "RIGHT"):
            self._limb(area, (f"{side}_HIP", f"{side}_KNEE"), 42, 1)
            self._limb(area, (f"{side}_KNEE", f"{side}_ANKLE"), 34, 0.95)
        return self._wear("bottom", colour, area)

    def skirt(self, colour: Colour, waist: int = 218, hem: int = 318) -> Mannequin:
        area = self._hips(waist)
        flare = [(116, waist + 10), (184, waist + 10), (204, hem), (96, hem)]
        cv2.fillPoly(area, [np.array(flare, np.int32)], 1)
        return self._wear("bottom", colour, area)

    def shoes(self, colour: Colour) -> Mannequin:
        area = np.zeros((HEIGHT, WIDTH), np.uint8)
        for x in (118, 182):
            cv2.ellipse(area, (x, 446), (17, 14), 0, 0, 360, 1, -1)
        return self._wear("footwear", colour, area)

    def picture(self) -> Image:
        """``(480, 300, 3) uint8`` RGB, with a little light and noise, always the same."""
        light = np.linspace(1.04, 0.94, HEIGHT)[:, None, None]
        noise = np.random.default_rng(7).normal(0, 3, self._picture.shape)
        return np.clip(self._picture * light + noise, 0, 255).astype(np.uint8)

    def body(self, detection: float = 0.97) -> Body:
        """The pose, everything visible, and a silhouette as blurred as a network's."""
        points = np.zeros((33, 2), np.float32)
        for joint, point in _POINTS.items():
            points[joint] = point
        mask = cv2.GaussianBlur(self._outline.astype(np.float32), (0, 0), 2)
        visible = np.ones(33, np.float32)
        return Body(points, visible, np.asarray(mask, np.float32), 0.99, detection)

    def bare(self) -> Mask:
        """``(480, 300) bool`` the skin that shows."""
        skin = self._flesh() > 0
        for area in self.worn.values():
            skin &= ~area
        return skin

    def _flesh(self) -> npt.NDArray[np.uint8]:
        area = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.ellipse(area, (150, 60), (23, 30), 0, 0, 360, 1, -1)
        cv2.rectangle(area, (140, 84), (160, 112), 1, -1)
        trunk = [(114, 104), (186, 104), (176, 230), (124, 230)]
        cv2.fillPoly(area, [np.array(trunk, np.int32)], 1)
        for side in ("LEFT", "RIGHT"):
            self._limb(area, (f"{side}_SHOULDER", f"{side}_ELBOW"), 22, 1)
            self._limb(area, (f"{side}_ELBOW", f"{side}_WRIST"), 18, 1)
            self._limb(area, (f"{side}_WRIST", f"{side}_INDEX"), 16, 1)
            self._limb(area, (f"{side}_HIP", f"{side}_KNEE"), 36, 1)
            self._limb(area, (f"{side}_KNEE", f"{side}_ANKLE"), 26, 1)
            self._limb(area, (f"{side}_HEEL", f"{side}_TOE"), 16, 1)
        return area

    def _hips(self, waist: int) -> npt.NDArray[np.uint8]:
        area = np.zeros((HEIGHT, WIDTH), np.uint8)
        outline = [(120, waist), (180, waist), (192, 262), (108, 262)]
        cv2.fillPoly(area, [np.array(outline, np.int32)], 1)
        return area

    def _limb(
        self, area: npt.NDArray[np.uint8], ends: tuple[str, str], width: int, share: float
    ) -> None:
        start, end = (np.array(_POINTS[Joint[name]], float) for name in ends)
        tip = start + share * (end - start)
        cv2.line(area, (int(start[0]), int(start[1])), (int(tip[0]), int(tip[1])), 1, width)

    def _wear(self, piece: str, colour: Colour, area: npt.NDArray[np.uint8]) -> Mannequin:
        for other in self.worn.values():
            other &= area == 0
        self.worn[piece] = area > 0
        self._paint(colour, area)
        return self

    def _paint(self, colour: Colour, area: npt.NDArray[np.uint8]) -> None:
        self._picture[area > 0] = colour
        self._outline |= area
