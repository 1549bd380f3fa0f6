"""How each product of the shop is cut: pattern, fabric, print."""

from __future__ import annotations

from typing import Final

from infra.demo.drawing.fabric import (
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
from infra.demo.drawing.garment import Layer
from infra.demo.shop import accessories, bottoms, jackets, prints, tops

_WHITE: Final = (240, 238, 232)
_NAVY: Final = (34, 44, 82)
_BRASS: Final = (188, 150, 96)


def sunset_tee() -> tuple[Layer, ...]:
    """Mint, a sunset on the chest."""
    mint = (128, 192, 178)
    ink = prints.sunset((250, 206, 120), (226, 84, 52), ((70, 110, 130), (30, 62, 84)), -0.2)
    return (*tops.t_shirt(plain(mint), ribbed((112, 178, 164))), *ink)


def breton_tee() -> tuple[Layer, ...]:
    """Ecru with navy stripes."""
    return tops.t_shirt(stripes(_WHITE, (36, 52, 96), 0.13), ribbed(_WHITE))


def fair_isle_sweater() -> tuple[Layer, ...]:
    """Red knit, a band of diamonds."""
    red, cream = (150, 34, 44), (240, 232, 214)
    body = fair_isle(red, (cream, red, (34, 70, 62)), -0.2)
    return tops.sweater(body, ribbed((140, 30, 40)), knit(red))


def star_sweatshirt() -> tuple[Layer, ...]:
    """Grey fleece, a yellow star."""
    grey = melange((150, 152, 156))
    ink = prints.star((240, 196, 60), _NAVY, -0.2, 0.3)
    return (*tops.sweater(grey, ribbed((132, 134, 140)), grey), *ink)


def oxford_shirt() -> tuple[Layer, ...]:
    """Fine sky-blue stripes."""
    return tops.shirt(
        stripes((196, 216, 240), (140, 174, 220), 0.04, 0.4, upright=True), (244, 244, 240)
    )


def flannel_shirt() -> tuple[Layer, ...]:
    """Red and black checks."""
    bands = (((24, 22, 30), 0.0, 0.42), ((236, 206, 120), 0.5, 0.05))
    return tops.shirt(plaid((168, 34, 38), bands, 0.24), (30, 26, 30))


def jeans() -> tuple[Layer, ...]:
    """Indigo, gold thread."""
    return bottoms.jeans(denim((44, 62, 104)), (206, 140, 64), (176, 120, 70))


def chinos() -> tuple[Layer, ...]:
    """Sand, creased."""
    return bottoms.chinos(plain((200, 172, 130)), (120, 90, 60))


def cargo_shorts() -> tuple[Layer, ...]:
    """Olive, flapped pockets."""
    return bottoms.shorts(plain((104, 108, 72)), plain((98, 102, 68)))


def swim_shorts() -> tuple[Layer, ...]:
    """Turquoise with flowers."""
    petals = ((250, 226, 120), (246, 140, 110))
    cloth = flowers((24, 150, 160), petals, (250, 250, 240), (20, 96, 104), 0.24)
    return bottoms.shorts(cloth, plain((240, 240, 236)), (240, 240, 236))


def pleated_skirt() -> tuple[Layer, ...]:
    """Burgundy pleats."""
    return bottoms.pleated_skirt(plain((122, 28, 54)), plain((100, 24, 46)))


def dotted_skirt() -> tuple[Layer, ...]:
    """Honey with cream dots."""
    return bottoms.a_line_skirt(dots((236, 186, 52), (250, 246, 232), 0.12, 0.026), (120, 84, 40))


def tea_dress() -> tuple[Layer, ...]:
    """Midnight blue with pink flowers, short sleeves."""
    petals = ((236, 120, 140), (244, 190, 176))
    cloth = flowers((28, 36, 72), petals, (250, 220, 120), (70, 120, 96), 0.2)
    return bottoms.dress(cloth, plain((28, 36, 72)), sleeves=True, flare=0.62)


def emerald_dress() -> tuple[Layer, ...]:
    """Plain green, sleeveless."""
    return bottoms.dress(plain((22, 124, 90)), plain((14, 88, 64)), sleeves=False, flare=0.5)


def cap() -> tuple[Layer, ...]:
    """Royal blue, an orange badge."""
    return accessories.cap(
        plain((30, 66, 150)), plain((26, 56, 130)), (236, 236, 230), (224, 92, 48)
    )


def beanie() -> tuple[Layer, ...]:
    """Mustard ribs, a cream pompom."""
    return accessories.beanie(
        ribbed((226, 160, 40), 0.06), ribbed((214, 146, 32), 0.06), knit((240, 226, 196))
    )


def sneakers() -> tuple[Layer, ...]:
    """Red canvas, cream toes and soles."""
    return accessories.sneakers(
        plain((196, 48, 44)), plain((236, 232, 222)), plain((240, 236, 226)), (250, 248, 242)
    )


def boots() -> tuple[Layer, ...]:
    """Saddle brown, black gores."""
    return accessories.boots(plain((112, 64, 34)), plain((48, 34, 28)), ribbed((40, 34, 32)))


def trucker_jacket() -> tuple[Layer, ...]:
    """Light denim, cream fleece."""
    fleece = melange((236, 228, 208), 0.35)
    return jackets.denim_jacket(denim((88, 122, 166), 0.12), fleece, (226, 160, 72), _BRASS)


def puffer() -> tuple[Layer, ...]:
    """Charcoal channels, an orange zip."""
    return jackets.puffer(plain((38, 42, 50)), plain((230, 110, 40)), (220, 220, 220))
