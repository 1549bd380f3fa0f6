"""The content type that a key's ending stands for.

Our own table, since ``mimetypes`` reads the host's files and would answer differently elsewhere.
An entry, once made, stays as it is: stored blobs rely on it.
"""

from __future__ import annotations

UNKNOWN = "application/octet-stream"

_BY_ENDING = {
    "3g2": "video/3gpp2",
    "3gp": "video/3gpp",
    "avi": "video/x-msvideo",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "hif": "image/heif",
    "html": "text/html",
    "jfif": "image/jpeg",
    "jpe": "image/jpeg",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "m2ts": "video/mp2t",
    "m4v": "video/mp4",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "mts": "video/mp2t",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "txt": "text/plain",
    "webm": "video/webm",
    "webp": "image/webp",
}


def content_type_of(key: str) -> str:
    """By the key's ending, upper or lower case; ``application/octet-stream`` if it says nothing."""
    _, dot, ending = key.rpartition("/")[2].rpartition(".")
    return _BY_ENDING.get(ending.lower(), UNKNOWN) if dot else UNKNOWN
