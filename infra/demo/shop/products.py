"""The shop's wardrobe: what is for sale, and how each piece is cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from infra.demo.drawing.garment import Garment, Layer
from infra.demo.shop import cuts


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


CATALOG: Final[tuple[Item, ...]] = (
    Item(
        "48201",
        "T-Shirts",
        "Sunset Ridge Graphic Tee",
        "Heavyweight mint cotton with a hand-drawn sunset over two ridges.",
        "cotton, graphic, mint, summer",
        "Tees, Outdoors",
        899,
        1199,
        cuts.sunset_tee,
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
        cuts.breton_tee,
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
        cuts.fair_isle_sweater,
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
        cuts.star_sweatshirt,
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
        cuts.oxford_shirt,
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
        cuts.flannel_shirt,
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
        cuts.jeans,
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
        cuts.chinos,
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
        cuts.cargo_shorts,
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
        cuts.swim_shorts,
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
        cuts.pleated_skirt,
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
        cuts.dotted_skirt,
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
        cuts.tea_dress,
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
        cuts.emerald_dress,
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
        cuts.cap,
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
        cuts.beanie,
        0.7,
    ),
    Item(
        "48217",
        "Shoes",
        "Court Classic Canvas Sneakers",
        "Red canvas low-tops with cream laces, toe caps and soles.",
        "sneakers, red, cream, canvas",
        "Footwear, Everyday",
        2999,
        3499,
        cuts.sneakers,
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
        cuts.boots,
        0.5,
    ),
    Item(
        "48219",
        "Jackets",
        "Sherpa Collar Denim Jacket",
        "Light-wash denim, brass buttons, collar and cuffs of cream fleece.",
        "denim, fleece, light blue",
        "Denim, Layers",
        3499,
        3999,
        cuts.trucker_jacket,
    ),
    Item(
        "48220",
        "Jackets",
        "Alpine Down Puffer Jacket",
        "Hooded charcoal ripstop, recycled down; orange zip and lining.",
        "puffer, black, orange, winter",
        "Layers, Winter",
        5499,
        6999,
        cuts.puffer,
        0.7,
    ),
)
"""Twenty products, no two alike."""
