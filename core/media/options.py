"""How media are decoded: limits on what is accepted, and choices that decide what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_REVISION = "2"  # raise it when code changes what comes out of the same bytes
_LARGEST_JPEG = 65_500


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeOptions:
    """Construction validates.

    Attributes:
        max_side: pixels; larger frames are scaled down to this longer side.
        pick: ``sharpest`` frame near the middle of each scene, or its ``start``.
        threshold: PySceneDetect's ContentDetector: change between frames, 0 to 255, that is a cut.
        min_scene_ms: shorter scenes are merged into their neighbours.
        frame_skip: frames left out after each one that is looked at. Faster; a cut may be found
            that many frames late.
        analysis_side: pixels; frames are compared at this longer side.
        max_pixels: width x height of a picture.
        max_video_pixels: width x height of a video.
        max_picture_bytes: size of a picture's file.
        max_duration_s: seconds of video.
        max_video_frames: frames in a video; ends what has no end.
        max_scenes: key frames of one video.
        picture_time_limit_s: seconds that decoding a picture may take.
        video_time_limit_s: seconds that decoding a video may take.
        video_quiet_s: seconds in which a video must give a new frame.
        video_pixels_per_s: decoded pixels that give a video one more second, beyond the first
            ``video_quiet_s``.
    """

    max_side: int = 2048
    pick: Literal["sharpest", "start"] = "sharpest"
    threshold: float = 27.0
    min_scene_ms: int = 600
    frame_skip: int = 0
    analysis_side: int = 256
    max_pixels: int = 178_956_970
    max_video_pixels: int = 36_000_000
    max_picture_bytes: int = 256 << 20
    max_duration_s: float = 3 * 3600.0
    max_video_frames: int = 1_300_000
    max_scenes: int = 5000
    picture_time_limit_s: float = 60.0
    video_time_limit_s: float = 3600.0
    video_quiet_s: float = 30.0
    video_pixels_per_s: float = 50e6

    def __post_init__(self) -> None:
        if not 16 <= self.max_side <= _LARGEST_JPEG:
            raise ValueError(f"max_side must be 16 to {_LARGEST_JPEG} pixels")
        if not 0 < self.threshold <= 255:
            raise ValueError("threshold must be above 0 and at most 255")
        if self.min_scene_ms < 0 or self.frame_skip < 0 or self.analysis_side < 16:
            raise ValueError("min_scene_ms and frame_skip start at 0, analysis_side at 16")
        for name in (
            *("max_pixels", "max_video_pixels", "max_picture_bytes", "max_duration_s"),
            *("max_video_frames", "max_scenes", "picture_time_limit_s", "video_time_limit_s"),
            *("video_quiet_s", "video_pixels_per_s"),
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")

    @property
    def version(self) -> str:
        """Names everything that decides which frames come out, and with which pixels.

        Limits are left out on purpose: they decide whether a medium is accepted at all, and
        raising one must not make every medium that passed before another pipeline's.
        """
        return (
            f"media-{_REVISION} side={self.max_side} pick={self.pick} "
            f"threshold={self.threshold:g} min_scene={self.min_scene_ms} "
            f"skip={self.frame_skip} analysis={self.analysis_side}"
        )
