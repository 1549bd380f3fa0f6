"""The shop's wardrobe: what is for sale, and how each piece is cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from infra.demo import accessories, bottoms, jackets, prints, tops
from infra.demo.fabric import (
    denim,
    dots,
    fair_isle,
    flowers,
    knit,
    melange,
    plaid,
    plain,
    ribbed,
    stripes,
)
from infra.demo.garment import Garment, Layer


@dataclass(frozen=True, slots=True)
class Item:
    """A product: its row in the shop's export, and the pattern it is drawn from.

    ``price`` and ``mrp`` (the price before discount) are whole rupees, as the export has them.
    """

    id: str
    kind: str
    title: str
    description: str
    tags: str
    collections: str
    price: int
    mrp: int
    cut: Callable[[], tuple[Layer, ...]]
    drape: float = 1.0
    slant: float = 0.0

    def garment(self) -> Garment:
        """The product, ready to be drawn."""
        return Garment(self.cut(), self.drape, self.slant, seed=int(self.id))

    def info(self) -> dict[str, str]:
        """``product_info.json``: the columns of the shop's product details."""
        alias = "-".join(self.title.lower().replace("'", "").split())
        discount = round(100 * (self.mrp - self.price) / self.mrp)
        return {
            "product_id": self.id,
            "title": self.title,
            "description": self.description,
            "product_type": self.kind,
            "alias": alias,
            "mrp": str(self.mrp),
            "price_display_amount": f"₹{self.price:,}",
            "discount_percentage": str(discount),
            "product_tags": self.tags,
            "product_collections": self.collections,
        }


_WHITE: Final = (240, 238, 232)
_NAVY: Final = (34, 44, 82)
_BRASS: Final = (188, 150, 96)


def _sunset_tee() -> tuple[Layer, ...]:
    ink = prints.sunset((250, 206, 120), (226, 84, 52), ((70, 110, 130), (30, 62, 84)), -0.2)
    return (*tops.t_shirt(plain(_WHITE), ribbed((236, 234, 228))), *ink)


def _breton_tee() -> tuple[Layer, ...]:
    return tops.t_shirt(stripes(_WHITE, (36, 52, 96), 0.13), ribbed(_WHITE))


def _fair_isle_sweater() -> tuple[Layer, ...]:
    red, cream = (150, 34, 44), (240, 232, 214)
    body = fair_isle(red, (cream, red, (34, 70, 62)), -0.2)
    return tops.sweater(body, ribbed((140, 30, 40)), knit(red))


def _star_sweatshirt() -> tuple[Layer, ...]:
    grey = melange((150, 152, 156))
    ink = prints.star((240, 196, 60), _NAVY, -0.2, 0.3)
    return (*tops.sweater(grey, ribbed((132, 134, 140)), grey), *ink)


def _oxford_shirt() -> tuple[Layer, ...]:
    return tops.shirt(
        stripes((196, 216, 240), (140, 174, 220), 0.04, 0.4, upright=True), (244, 244, 240)
    )


def _flannel_shirt() -> tuple[Layer, ...]:
    bands = (((24, 22, 30), 0.0, 0.42), ((236, 206, 120), 0.5, 0.05))
    return tops.shirt(plaid((168, 34, 38), bands, 0.24), (30, 26, 30))


def _jeans() -> tuple[Layer, ...]:
    return bottoms.jeans(denim((44, 62, 104)), (206, 140, 64), (176, 120, 70))


def _chinos() -> tuple[Layer, ...]:
    return bottoms.chinos(plain((200, 172, 130)), (120, 90, 60))


def _cargo_shorts() -> tuple[Layer, ...]:
    return bottoms.shorts(plain((104, 108, 72)), plain((98, 102, 68)))


def _swim_shorts() -> tuple[Layer, ...]:
    petals = ((250, 226, 120), (246, 140, 110))
    cloth = flowers((24, 150, 160), petals, (250, 250, 240), (20, 96, 104), 0.24)
    return bottoms.shorts(cloth, plain((240, 240, 236)), (240, 240, 236))


def _pleated_skirt() -> tuple[Layer, ...]:
    return bottoms.pleated_skirt(plain((122, 28, 54)), plain((100, 24, 46)))


def _dotted_skirt() -> tuple[Layer, ...]:
    return bottoms.a_line_skirt(dots((236, 186, 52), (250, 246, 232), 0.12, 0.026), (120, 84, 40))


def _tea_dress() -> tuple[Layer, ...]:
    petals = ((236, 120, 140), (244, 190, 176))
    cloth = flowers((28, 36, 72), petals, (250, 220, 120), (70, 120, 96), 0.2)
    return bottoms.dress(cloth, plain((28, 36, 72)), sleeves=True, flare=0.62)


def _emerald_dress() -> tuple[Layer, ...]:
    return bottoms.dress(plain((22, 124, 90)), plain((14, 88, 64)), sleeves=False, flare=0.5)


def _cap() -> tuple[Layer, ...]:
    return accessories.cap(
        plain((30, 66, 150)), plain((26, 56, 130)), (236, 236, 230), (224, 92, 48)
    )


def _beanie() -> tuple[Layer, ...]:
    return accessories.beanie(
        ribbed((226, 160, 40), 0.06), ribbed((214, 146, 32), 0.06), knit((240, 226, 196))
    )


def _sneakers() -> tuple[Layer, ...]:
    return accessories.sneakers(
        plain((240, 240, 238)), plain((222, 218, 208)), plain((208, 52, 44)), (250, 250, 250)
    )


def _boots() -> tuple[Layer, ...]:
    return accessories.boots(plain((112, 64, 34)), plain((48, 34, 28)), ribbed((40, 34, 32)))


def _trucker_jacket() -> tuple[Layer, ...]:
    return jackets.denim_jacket(denim((88, 122, 166), 0.12), (226, 160, 72), _BRASS)


def _puffer() -> tuple[Layer, ...]:
    return jackets.puffer(plain((38, 42, 50)), plain((230, 110, 40)), (220, 220, 220))


CATALOG: Final[tuple[Item, ...]] = (
    Item(
        "48201",
        "T-Shirts",
        "Sunset Ridge Graphic Tee",
        "Heavyweight white cotton with a hand-drawn sunset over two ridges.",
        "cotton, graphic, white, summer",
        "Tees, Outdoors",
        899,
        1199,
        _sunset_tee,
    ),
    Item(
        "48202",
        "T-Shirts",
        "Breton Stripe Tee",
        "A sailor's classic: navy stripes on ecru jersey, ribbed collar.",
        "cotton, striped, navy, white",
        "Tees, Everyday",
        999,
        999,
        _breton_tee,
    ),
    Item(
        "48203",
        "Sweaters",
        "Fair Isle Lambswool Sweater",
        "Red lambswool with a knitted band of diamonds across the chest.",
        "wool, knit, red, winter",
        "Knitwear, Holiday",
        3499,
        4499,
        _fair_isle_sweater,
    ),
    Item(
        "48204",
        "Sweatshirts",
        "All Star Sweatshirt",
        "Brushed grey fleece with a star that wears in, not off.",
        "fleece, graphic, grey",
        "Everyday, Campus",
        1799,
        2199,
        _star_sweatshirt,
    ),
    Item(
        "48205",
        "Shirts",
        "Fine Stripe Oxford Shirt",
        "Sky-blue oxford cloth, mother-of-pearl buttons, breast pocket.",
        "cotton, formal, blue, striped",
        "Shirts, Work",
        2199,
        2199,
        _oxford_shirt,
    ),
    Item(
        "48206",
        "Shirts",
        "Lumber Plaid Flannel Shirt",
        "Brushed flannel in red and black checks with a thread of gold.",
        "flannel, checked, red, black",
        "Shirts, Outdoors",
        1999,
        2499,
        _flannel_shirt,
    ),
    Item(
        "48207",
        "Jeans",
        "Straight Leg Indigo Jeans",
        "Rigid 13 oz denim, gold thread, a hint of fading on the thigh.",
        "denim, indigo, blue",
        "Denim, Everyday",
        2799,
        3299,
        _jeans,
    ),
    Item(
        "48208",
        "Trousers",
        "Tapered Sand Chinos",
        "Stretch twill trousers in sand, pressed crease, slanting pockets.",
        "cotton, beige, smart casual",
        "Work, Everyday",
        1899,
        2399,
        _chinos,
    ),
    Item(
        "48209",
        "Shorts",
        "Ranger Cargo Shorts",
        "Olive ripstop with flapped pockets for everything you carry.",
        "ripstop, olive, green, pockets",
        "Outdoors, Summer",
        1499,
        1799,
        _cargo_shorts,
    ),
    Item(
        "48210",
        "Shorts",
        "Lagoon Swim Shorts",
        "Quick-drying turquoise trunks strewn with flowers; drawstring waist.",
        "swim, floral, turquoise",
        "Beach, Summer",
        1299,
        1299,
        _swim_shorts,
    ),
    Item(
        "48211",
        "Skirts",
        "Burgundy Pleated Midi Skirt",
        "Sharp pleats that swing, from a narrow waistband.",
        "pleated, burgundy, midi",
        "Skirts, Evening",
        1999,
        2599,
        _pleated_skirt,
        0.6,
    ),
    Item(
        "48212",
        "Skirts",
        "Honey Dot A-Line Skirt",
        "Buttoned A-line skirt in honey yellow with cream dots.",
        "dotted, yellow, cotton",
        "Skirts, Summer",
        1599,
        1599,
        _dotted_skirt,
    ),
    Item(
        "48213",
        "Dresses",
        "Midnight Garden Tea Dress",
        "Short-sleeved viscose dress with pink flowers on midnight blue.",
        "floral, navy, viscose",
        "Dresses, Summer",
        2699,
        3499,
        _tea_dress,
    ),
    Item(
        "48214",
        "Dresses",
        "Emerald Fit and Flare Dress",
        "Sleeveless emerald crepe, fitted waist, flared skirt.",
        "green, crepe, party",
        "Dresses, Evening",
        3299,
        3999,
        _emerald_dress,
    ),
    Item(
        "48215",
        "Hats",
        "Harbour Baseball Cap",
        "Six panels of royal-blue twill, curved peak, stitched badge.",
        "cap, blue, cotton",
        "Accessories, Summer",
        699,
        899,
        _cap,
        0.6,
    ),
    Item(
        "48216",
        "Hats",
        "Mustard Pompom Beanie",
        "Chunky ribbed knit with a deep cuff and a cream pompom.",
        "beanie, knit, mustard, winter",
        "Accessories, Winter",
        799,
        799,
        _beanie,
        0.7,
    ),
    Item(
        "48217",
        "Shoes",
        "Court Classic Sneakers",
        "White leather low-tops with a signal-red toe and heel.",
        "sneakers, white, red, leather",
        "Footwear, Everyday",
        2999,
        3499,
        _sneakers,
        0.5,
    ),
    Item(
        "48218",
        "Shoes",
        "Saddle Chelsea Boots",
        "Saddle-brown leather boots with elastic gores and a stacked heel.",
        "boots, brown, leather",
        "Footwear, Work",
        4299,
        4999,
        _boots,
        0.5,
    ),
    Item(
        "48219",
        "Jackets",
        "Washed Denim Trucker Jacket",
        "Light-wash denim, contrast stitching, brass buttons.",
        "denim, jacket, light blue",
        "Denim, Layers",
        3499,
        3999,
        _trucker_jacket,
    ),
    Item(
        "48220",
        "Jackets",
        "Alpine Down Puffer Jacket",
        "Charcoal ripstop filled with recycled down; orange zip and lining.",
        "puffer, black, orange, winter",
        "Layers, Winter",
        5499,
        6999,
        _puffer,
        0.7,
    ),
)
"""Twenty products, no two alike."""
