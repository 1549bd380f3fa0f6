"""An item and the products it resembles."""

from __future__ import annotations

from core.events import Match, TaggedItem, TaggedPoint
from infra.report.markup import Html, el
from infra.report.pictures import Gallery, Picture, crop_key, product_key
from infra.report.words import key, listed, percent, tone

_TAGS = 3


class Products:
    """Product pictures, embedded where they first appear and referred to from then on."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[str, str]] = {}

    def __contains__(self, key: object) -> bool:
        """Whether the page has this picture already."""
        return key in self._shown

    def show(self, key: str, picture: Picture | None, title: str) -> Html:
        """The picture, which only counts the first time, or an empty frame where it is gone."""
        symbol: Html | None = None
        if key not in self._shown:
            if picture is None:
                return el("span", "no picture", class_="shot gone")
            name, box = f"p{len(self._shown)}", f"0 0 {picture.width} {picture.height}"
            self._shown[key] = name, box
            image = el("image", href=picture.uri, width=picture.width, height=picture.height)
            symbol = el("symbol", image, id=name, viewBox=box)
        name, box = self._shown[key]
        content = [symbol, el("use", href=f"#{name}")]
        return el("svg", content, viewBox=box, class_="shot", role="img", aria_label=title)


def item_row(item: TaggedItem, number: int, anchor: str, gallery: Gallery, verdict: Html) -> Html:
    """One item: its crop, its name, and what is known of products like it."""
    crop = gallery.crop(crop_key(item.crop_key, item.masked_key))
    again = " again" if item.duplicate_of is not None else ""
    sure = f"{item.category} · {percent(item.score)} sure"
    return el(
        "li",
        _crop(crop, f"{item.label}, cut out"),
        _what(number, item.label, sure),
        verdict,
        class_=f"item t-{tone(item.category)} {key(number)}{again}",
        id=f"{anchor}-i{number}",
    )


def point_row(point: TaggedPoint, number: int, anchor: str, gallery: Gallery) -> Html:
    """A catalog item and the point it became."""
    return el(
        "li",
        _crop(gallery.crop(point.crop_key), f"{point.label}, cut out"),
        _what(number, point.label, point.category),
        el("p", "In the catalog as ", el("code", point.point_id), class_="verdict quiet"),
        class_=f"item t-{tone(point.category)} {key(number)}",
        id=f"{anchor}-i{number}",
    )


def matches(item: TaggedItem, gallery: Gallery, products: Products) -> Html:
    """The products an item resembles, side by side, best first."""
    best_first = sorted(item.matches, key=lambda match: -match.score)
    cards = [
        _match(match, gallery, products, best=place == 0) for place, match in enumerate(best_first)
    ]
    return el("ol", cards, class_="matches", aria_label="Similar products, best first")


def _what(number: int, label: str, words: str) -> Html:
    return el(
        "div",
        el("p", el("b", str(number), class_="number"), " ", label, class_="label"),
        el("p", words, class_="quiet"),
        class_="what",
    )


def _crop(crop: Picture | None, title: str) -> Html:
    if crop is None:
        return el("span", "no picture", class_="crop gone")
    picture = el("img", src=crop.uri, alt=title, width=crop.width, height=crop.height)
    return el("span", picture, class_="crop")


def _match(match: Match, gallery: Gallery, products: Products, *, best: bool) -> Html:
    payload = match.payload
    title = str(payload.get("title") or payload.get("product_name") or match.product_id)
    picture = product_key(payload)
    tags = listed(payload.get("tags"), _TAGS)
    price = str(payload.get("price") or "")
    share = min(max(match.score, 0.0), 1.0)
    return el(
        "li",
        products.show(picture, gallery.crop(picture), title),
        el(
            "div",
            el("p", title, class_="title", title=title),
            el("p", price, class_="price") if price else None,
            el("p", " · ".join(tags), class_="tags") if tags else None,
            el(
                "p",
                el("span", el("i", style=f"width:{share:.1%}"), class_="bar", aria_hidden="true"),
                el("span", f"{match.score:.2f}", class_="figure"),
                class_="score",
                title="similarity, 1 is the same picture",
            ),
        ),
        class_="match best" if best else "match",
    )
