"""What tests need of any S3 server: a connection, and a place where nothing is yet."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException

from core.s3 import S3Connection, S3Options
from tests.servers.session import Address


def connect(address: Address, threads: int = 16, read_timeout_s: float = 60.0) -> S3Connection:
    """Close it in the end."""
    return S3Connection(S3Options(**address), threads, read_timeout_s=read_timeout_s)


def place_of(folder: Path) -> str:
    """A bucket's name that is a test's own: the same whenever, and in whichever process, it is
    asked for the same folder, and on no server before."""
    note = folder / "place.txt"
    if not note.exists():
        note.write_text(f"test-{uuid.uuid4().hex}")
    return note.read_text()


def grants(address: Address, wish: Callable[[Minio], object]) -> bool:
    """Whether the server does what is wished; one that is starting up does not."""
    client = Minio(
        *(urlsplit(address["endpoint"]).netloc, address["access_key"], address["secret_key"]),
        secure=False,
        http_client=urllib3.PoolManager(retries=False, timeout=5.0),
    )
    try:
        wish(client)
    except (MinioException, urllib3.exceptions.HTTPError):
        return False
    return True
