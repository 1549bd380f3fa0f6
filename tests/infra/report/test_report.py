from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob
from core.events import (
    Frame,
    Match,
    MediaAnalyzed,
    MediaTagged,
    Product,
    TaggedItem,
    TaggedPoint,
    Upload,
    Vibe,
)
from infra.report import render, write_report

_EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FolderBlobStore]:
    store = await FolderBlobStore.open(tmp_path / "blobs")
    yield store
    await store.close()


def _picture(width: int, height: int, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.effect_noise((width, height), 80).convert(mode).save(out, "PNG")
    return out.getvalue()


async def _store(blobs: FolderBlobStore, **pictures: bytes) -> None:
    await blobs.put([Blob(key, data, "image/png") for key, data in pictures.items()])


def _frame(time_ms: int = 0, **more: Any) -> Frame:
    values = {
        "frame_id": f"m/{time_ms:09d}",
        "blob_key": "frame",
        "time_ms": time_ms,
        "timecode": "00:00:00.000",
        "width": 400,
        "height": 300,
    }
    return Frame.model_validate(values | more)


def _match(product: str = "p1", score: float = 0.9, **payload: Any) -> Match:
    known = {"title": f"Product {product}", "price": "₹899", "file_path": "product"}
    return Match(product_id=product, score=score, point_id=product, payload=known | payload)


def _item(name: str = "i1", **more: Any) -> TaggedItem:
    values = {
        "item_id": name,
        "label": "t-shirt",
        "category": "topwear",
        "score": 0.93,
        "box": (40, 60, 200, 240),
        "crop_key": "crop",
        "frame_id": "m/000000000",
    }
    return TaggedItem.model_validate(values | more)


def _medium(**more: Any) -> MediaTagged:
    values = {
        "media_id": "m",
        "revision": 1,
        "status": "complete",
        "filename": "look.jpg",
        "kind": "picture",
        "frames": [_frame()],
    }
    return MediaTagged.model_validate(values | more)


class _Page(HTMLParser):
    """The tags of a page with their attributes, its text, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "link", "br"}:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def classes(self, name: str) -> int:
        return sum(name in (given.get("class") or "").split() for _, given in self.tags)

    def words(self) -> str:
        return " ".join("".join(self.text).split())


async def _page(blobs: FolderBlobStore, *results: MediaTagged) -> _Page:
    return _Page(await render(results, blobs, "Week 14"))


async def test_a_page_needs_nothing_from_outside(blobs: FolderBlobStore) -> None:
    await _store(blobs, frame=_picture(400, 300), crop=_picture(90, 90), product=_picture(90, 90))

    page = await _page(blobs, _medium(items=[_item(matches=[_match()])]))

    sources = [given for _, tag in page.tags for key in ("src", "href") if (given := tag.get(key))]
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert not page.all("script")
    assert not page.all("link")
    policies = [tag.get("content") for tag in page.all("meta") if "http-equiv" in tag]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


async def test_untrusted_words_stay_words(blobs: FolderBlobStore) -> None:
    await _store(blobs, frame=_picture(400, 300), product=_picture(90, 90))
    match = _match(title=_EVIL, price=_EVIL, tags=_EVIL)
    medium = _medium(
        filename=_EVIL,
        status="partial",
        reason=_EVIL,
        match_reason=_EVIL,
        notes=[_EVIL],
        failures=[_EVIL],
        missing=[_EVIL],
        items=[_item(label=_EVIL, category=_EVIL, matches=[match])],
        points=[
            TaggedPoint(
                item_id="p",
                point_id=_EVIL,
                frame_id="m/000000000",
                label=_EVIL,
                category=_EVIL,
                box=(0, 0, 9, 9),
                crop_key="crop",
            )
        ],
        analysis=MediaAnalyzed(
            media_id="m",
            audio_transcription=_EVIL,
            clothing_description=_EVIL,
            vibes=[Vibe(id="v", name=_EVIL, confidence=0.5)],
        ),
        product=Product(id="1", title=_EVIL),
    )

    page = _Page(await render([medium, medium], blobs, _EVIL))

    assert not page.all("script")
    assert all((tag.get("src") or "").startswith("data:image/") for tag in page.all("img"))
    assert not any(key.startswith("on") for _, tag in page.tags for key in tag)
    assert page.words().count("<script>alert(1)</script>") > 10


async def test_an_item_stands_with_its_products_best_first(blobs: FolderBlobStore) -> None:
    await _store(blobs, frame=_picture(400, 300), crop=_picture(90, 90), product=_picture(90, 90))
    matches = [_match("low", 0.8), _match("top", 0.97, tags="cotton, red", price="₹1,199")]

    page = await _page(blobs, _medium(items=[_item(matches=matches)]))

    words = page.words()
    assert "topwear · 93% sure" in words
    assert words.index("Product top") < words.index("Product low")
    assert "₹1,199 cotton · red 0.97".replace(" ", "") in words.replace(" ", "")
    assert page.classes("best") == 1


async def test_a_box_is_drawn_in_the_frame_s_own_pixels(blobs: FolderBlobStore) -> None:
    await _store(blobs, frame=_picture(400, 300))

    page = await _page(blobs, _medium(items=[_item(box=(40, 60.5, 200, 240))]))

    assert any(svg.get("viewbox") == "0 0 400 300" for svg in page.all("svg"))
    rect = page.all("rect")[0]
    assert [rect[key] for key in ("x", "y", "width", "height")] == ["40", "60.5", "160", "179.5"]


async def test_a_duplicate_points_at_the_item_it_repeats(blobs: FolderBlobStore) -> None:
    items = [_item("i1", matches=[_match()]), _item("i2", duplicate_of="i1", matches=[_match()])]

    page = await _page(blobs, _medium(items=items))

    assert "Same as item 1." in page.words()
    assert {"href": "#m0-i1"} in page.all("a")
    assert page.classes("match") == 1


async def test_a_missing_catalog_is_explained_with_the_next_command(
    blobs: FolderBlobStore,
) -> None:
    page = await _page(blobs, _medium(match_reason="no_catalog", items=[_item()]))

    assert "There is no catalog to compare with yet." in page.words()
    assert "tagger catalog add DIR" in page.words()
    assert "Not compared." in page.words()


async def test_an_item_unlike_any_product_says_so(blobs: FolderBlobStore) -> None:
    page = await _page(blobs, _medium(items=[_item()]))

    assert "No product is similar enough." in page.words()


async def test_a_failure_gives_its_reason(blobs: FolderBlobStore) -> None:
    page = await _page(blobs, _medium(status="failed", reason="moov atom not found", frames=[]))

    assert "Nothing could be tagged." in page.words()
    assert "moov atom not found" in page.words()
    assert page.classes("failed") > 0


async def test_a_partial_result_says_what_is_missing(blobs: FolderBlobStore) -> None:
    page = await _page(blobs, _medium(status="partial", missing=["items of frame m/1"]))

    assert "Still missing: items of frame m/1." in page.words()
    assert "Its items are not here yet." in page.words()


async def test_pictures_that_are_gone_leave_a_place(blobs: FolderBlobStore) -> None:
    await _store(blobs, crop=b"no picture at all")

    page = await _page(blobs, _medium(items=[_item(matches=[_match(file_path="")])]))

    assert "This frame is no longer in the store." in page.words()
    assert page.words().count("no picture") == 2


async def test_the_cut_out_is_shown_where_there_is_one(blobs: FolderBlobStore) -> None:
    await _store(blobs, crop=_picture(90, 90), masked=_picture(60, 40, "RGBA"))

    page = await _page(blobs, _medium(items=[_item(masked_key="masked")]))

    assert [(tag["width"], tag["height"]) for tag in page.all("img")] == [("60", "40")]


async def test_pictures_are_shrunk(blobs: FolderBlobStore) -> None:
    await _store(blobs, frame=_picture(3000, 2000), crop=_picture(900, 1800))

    page = await render([_medium(items=[_item()])], blobs, "Week 14")

    assert len(page) < 900_000
    crop = re.search(
        r'class="crop"><img src="[^"]+" alt="[^"]+" width="(\d+)" height="(\d+)"', page
    )
    assert crop is not None
    assert crop.groups() == ("100", "200")


async def test_a_product_s_picture_is_embedded_once(blobs: FolderBlobStore) -> None:
    await _store(blobs, product=_picture(90, 90))
    media = [_medium(media_id=str(k), items=[_item(matches=[_match()])]) for k in range(5)]

    page = await _page(blobs, *media)

    assert len(page.all("image")) == 1
    assert page.all("use") == [{"href": "#p0"}] * 5


async def test_totals_leave_duplicates_out(blobs: FolderBlobStore) -> None:
    items = [
        _item("i1", matches=[_match()]),
        _item("i2"),
        _item("i3", duplicate_of="i1", matches=[_match()]),
    ]

    page = await _page(blobs, _medium(items=items), _medium(media_id="n", kind="video"))

    words = page.words().replace(" ", "")
    assert "1pictureand1video" in words
    assert "itemsfound2" in words
    assert "matched·50%1" in words
    assert "repeats1" in words


async def test_a_video_shows_its_scenes_and_names_its_empty_frames(
    blobs: FolderBlobStore,
) -> None:
    frames = [
        _frame(k * 2000 + 500, scene_start_ms=k * 2000, scene_end_ms=(k + 1) * 2000)
        for k in range(3)
    ]
    items = [_item(frame_id=frames[1].frame_id)]

    page = await _page(blobs, _medium(kind="video", duration_ms=6000, frames=frames, items=items))

    assert page.classes("timeline") == 1
    assert page.classes("look") == 1
    assert "No items in 2 key frames: 0:00.5, 0:04.5" in page.words()
    assert "video · 0:06.0 · 3 key frames · 1 item" in page.words()


async def test_an_analysis_is_told_in_words_or_why_there_is_none(blobs: FolderBlobStore) -> None:
    told = MediaAnalyzed(
        media_id="m",
        clothing_description="A red dress.",
        vibes=[Vibe(id="boho", name="Boho", confidence=0.714)],
    )
    silent = MediaAnalyzed(media_id="m", reason="no key is set")

    page = await _page(blobs, _medium(analysis=told), _medium(analysis=silent))

    assert "A red dress." in page.words()
    assert "Boho 71%" in page.words()
    assert "No analysis: no key is set" in page.words()


async def test_a_catalog_picture_lists_its_points(blobs: FolderBlobStore) -> None:
    point = TaggedPoint(
        item_id="i",
        point_id="0b6c",
        frame_id="m/000000000",
        label="dress",
        category="dress",
        box=(1, 2, 30, 40),
        crop_key="crop",
    )

    page = await _page(blobs, _medium(product=Product(id="7", title="Tea Dress"), points=[point]))

    assert "catalog picture of Tea Dress · 1 item" in page.words()
    assert "In the catalog as 0b6c" in page.words()


async def test_a_medium_without_filename_goes_by_its_upload_s(blobs: FolderBlobStore) -> None:
    upload = Upload(root="r", uri="s3://in/a.jpg", filename="a.jpg")

    page = await _page(blobs, _medium(filename="", uploads=[upload]))

    assert "a.jpg" in page.words()


async def test_the_file_holds_what_would_be_rendered(
    blobs: FolderBlobStore, tmp_path: Path
) -> None:
    await _store(blobs, frame=_picture(400, 300), crop=_picture(90, 90))
    media = [_medium(media_id=str(k), items=[_item()]) for k in range(3)]
    target = tmp_path / "report.html"
    target.write_text("an older one", encoding="utf-8")

    async def stream() -> AsyncIterator[MediaTagged]:
        for medium in media:
            yield medium

    summary = await write_report(target, stream(), blobs, "Week 14")

    assert target.read_text("utf-8") == await render(media, blobs, "Week 14")
    assert (summary.pictures, summary.items) == (3, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "report.html"]


async def test_an_empty_page_is_a_page(blobs: FolderBlobStore) -> None:
    page = await _page(blobs)

    assert "Week 14" in page.words()
    assert not page.all("article")
