"""Made the fixtures in this folder, with the code of 2aa60b8: ``python -m tests.formats.make DIR``.

Two lives of the engine (``life``), the same media in both. Vision is the stand-in, whose versions
no training moves: in flight and in the catalog are vectors that later code makes, too.

``folder.tar.gz``    A data folder as kill -9 left it (``data/``), and the watched folder
                     (``looks/``), which was ``/media/looks``.
``cluster.jsonl.gz`` What Kafka, MinIO and Qdrant kept (``dump`` says in which words), the watched
                     bucket included, which was ``formats-looks``.
``lost-frame.jpg``   The frame that both lives lost, to be put back before a redrive.
``told.json``        What is to be expected, the frame's key, and the settings that are no defaults.

It writes below /media, so that the paths in the fixtures are nobody's, and it need not run on later
code: a later format gets a fixture of its own beside these.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import shutil
import sys
import tarfile
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from core.originals import FileMark
from infra.demo.film import Reel, write_film
from qdrant_client import QdrantClient

from core.settings import MediaSettings, Settings, VisionSettings
from infra.demo.truth import Shot, View
from tests.chaos.cluster import cluster
from tests.chaos.tagger import Tagger
from tests.formats.dump import dump_kafka, dump_objects, dump_vectors, minio_client
from tests.formats.life import Life
from tests.formats.used import BUCKET, etag_mark
from tests.infra.standin_engine import write_product
from tests.servers.kafka import KafkaBroker
from tests.servers.minio import MinioServer
from tests.vision_standin import picture, png

MEDIA = Path("/media")
PRODUCTS = ("red", "green", "blue", "black")
PICTURES = {
    "red-blue.png": ("red", "blue"),
    "purple.png": ("purple",),
    "submitted.png": ("black", "red"),
    "lost.png": ("green", "red"),
    "framed.png": ("black",),
    "uploaded.png": ("blue", "black"),
    "pending.png": ("green", "blue"),
}
FILMS = {"done.mp4": ("red", "blue"), "cut.mp4": ("green", "blue", "black")}
SETTINGS = {"media": {"workers": 1}, "vision": {"batch_size": 1}}
"""Neither has a part in the pipeline's id."""
EVENTS = {
    "media.uploaded": 14,
    "frames.extracted": 14,
    "media.framed": 11,
    "items.segmented": 12,
    "items.embedded": 10,
    "items.matched": 6,
    "items.indexed": 4,
    "media.tagged": 10,
    "dead.letters": 3,
}
"""How many of each were said in either life."""

SIZE = "tagger.size"
_SIDE, _SHOT_MS = 160, 1000


def main(into: Path) -> None:
    for name in ("looks", "catalog", "data"):
        shutil.rmtree(MEDIA / name, ignore_errors=True)
    into.mkdir(parents=True, exist_ok=True)
    write_media()
    with tempfile.TemporaryDirectory() as temporary:
        key, frame = live_in_a_folder(Path(temporary), into)
    (into / "lost-frame.jpg").write_bytes(frame)
    with tempfile.TemporaryDirectory() as temporary:
        assert live_on_a_cluster(Path(temporary), into) == (key, frame)
    told = {
        "settings": SETTINGS,
        "lost_frame": key,
        "events": EVENTS,
        "media": {**told_pictures(), **told_films()},
    }
    (into / "told.json").write_text(json.dumps(told, indent=1) + "\n")


def write_media() -> None:
    for number, paint in enumerate(PRODUCTS, start=1):
        write_product(MEDIA / "catalog", number, paint)
    for name, paints in PICTURES.items():
        (MEDIA / name).write_bytes(png(*paints, side=100))
    (MEDIA / "broken.jpg").write_bytes(b"no picture at all")
    near = View(_SIDE * 0.15, _SIDE * 0.15, _SIDE * 0.7, _SIDE * 0.7)  # else no cut is seen
    for name, shots in FILMS.items():
        reels = [
            Reel(
                picture(paint, side=_SIDE, shade=250),
                Shot(n * _SHOT_MS, (n + 1) * _SHOT_MS, (), near, near),
            )
            for n, paint in enumerate(shots)
        ]
        write_film(MEDIA / name, reels, _SIDE, _SIDE)


def told_pictures() -> dict[str, list[str]]:
    """Product names by file; the submitted one was asked for footwear only."""
    seen = {**PICTURES, "submitted.png": ("black",)}
    return {name: told_of(paints) for name, paints in seen.items()}


def told_films() -> dict[str, list[str]]:
    return {name: told_of(paints) for name, paints in FILMS.items()}


def told_of(paints: tuple[str, ...]) -> list[str]:
    return sorted(f"The {paint} one" for paint in paints if paint in PRODUCTS)


def live_in_a_folder(temporary: Path, into: Path) -> tuple[str, bytes]:
    looks, data = MEDIA / "looks", MEDIA / "data"
    looks.mkdir()
    life = Life(
        settings=Settings(data_dir=data, **sections()),
        tagger=Tagger(temporary, data),
        media=MEDIA,
        producer=("folder", str(looks)),
        place=looks.as_uri(),
        drop=lambda file: shutil.copyfile(file, looks / file.name),
        mark=lambda file: FileMark.of((looks / file.name).stat()).text(),
    )
    frame = asyncio.run(life.run())
    pack(into / "folder.tar.gz", {"data": data, "looks": looks})
    return frame


def live_on_a_cluster(temporary: Path, into: Path) -> tuple[str, bytes]:
    broker, minio = KafkaBroker(temporary / "kafka"), MinioServer(temporary / "minio")
    with ExitStack() as stack:
        for server in (broker, minio):
            server.start()
            stack.callback(server.stop)
        made = stack.enter_context(cluster(temporary, "formats", broker, minio))
        store = minio_client(minio.address)
        store.make_bucket(BUCKET)
        kafka = made.settings.kafka.model_copy(update={"session_timeout_s": 3.0})
        life = Life(
            settings=made.settings.model_copy(update={**sections(), "kafka": kafka}),
            tagger=made.tagger(),
            media=MEDIA,
            producer=("bucket", BUCKET),
            place=f"s3://{BUCKET}",
            drop=lambda file: store.fput_object(BUCKET, file.name, str(file)),
            mark=etag_mark,
        )
        frame = asyncio.run(life.run())
        lines = [
            *asyncio.run(dump_kafka(broker.bootstrap, f"{made.name}.")),
            *dump_objects(store, made.name, "object"),
            *dump_objects(store, BUCKET, "watched"),
            *dump_vectors(QdrantClient(url=made.qdrant.url, check_compatibility=False)),
        ]
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    (into / "cluster.jsonl.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return frame


def sections() -> dict[str, Any]:
    return {
        "media": MediaSettings(**SETTINGS["media"]),
        "vision": VisionSettings(**SETTINGS["vision"]),
    }


def pack(archive: Path, folders: dict[str, Path]) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, folder in folders.items():
            for path in sorted(folder.rglob("*")):
                if path.is_dir() or (path.is_file() and path.suffix != ".db-shm"):
                    _add(tar, path, f"{name}/{path.relative_to(folder)}")
    archive.write_bytes(gzip.compress(packed.getvalue(), 9, mtime=0))


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Nobody's file. The zeros at its end, with which the vector engine reserves 300 MB, are only
    counted, in the header SIZE."""
    member = tarfile.TarInfo(name)
    if path.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(member)
        return
    data = path.read_bytes()
    member.pax_headers = {SIZE: str(len(data))}
    data = data.rstrip(b"\0")
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
