"""What the page's head shows: totals over all media, and where each one stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.events import MediaTagged, Status


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the contents."""

    anchor: str
    name: str
    status: Status
    items: int


@dataclass(slots=True)
class Summary:
    """Totals, counted medium by medium.

    Attributes:
        items: garments that repeat no earlier one of their medium.
        matched: those of them with at least one catalog product.
        duplicates: garments that do repeat one.
        products: ids of all products that are some item's best match.
        no_catalog: media that met no catalog to be compared with.
    """

    pictures: int = 0
    videos: int = 0
    frames: int = 0
    items: int = 0
    matched: int = 0
    duplicates: int = 0
    points: int = 0
    partial: int = 0
    failed: int = 0
    no_catalog: int = 0
    products: set[str] = field(default_factory=set)
    categories: set[str] = field(default_factory=set)
    contents: list[Entry] = field(default_factory=list)

    def add(self, medium: MediaTagged, anchor: str) -> None:
        """Counts one medium, whose card is at ``anchor``."""
        own = [item for item in medium.items if item.duplicate_of is None]
        self.videos += medium.kind == "video"
        self.pictures += medium.kind == "picture"
        self.frames += len(medium.frames)
        self.items += len(own)
        self.matched += sum(bool(item.matches) for item in own)
        self.duplicates += len(medium.items) - len(own)
        self.points += len(medium.points)
        self.partial += medium.status == "partial"
        self.failed += medium.status == "failed"
        self.no_catalog += medium.match_reason == "no_catalog"
        self.products |= {item.matches[0].product_id for item in own if item.matches}
        self.categories |= {item.category for item in medium.items}
        self.categories |= {point.category for point in medium.points}
        found = len(medium.items) or len(medium.points)
        self.contents.append(Entry(anchor, display_name(medium), medium.status, found))


def display_name(medium: MediaTagged) -> str:
    """What a reader knows the medium by: its file's name."""
    named = medium.filename or next((upload.filename for upload in medium.uploads), "")
    return named or medium.media_id
