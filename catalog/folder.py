"""Product folders: pictures of a product, and what the shop says about it.

A folder is a product's if it is called ``product_<id>`` or holds a ``product_info.json``.
Pictures are the files directly in it.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from catalog.product_info import INFO, id_in_name, read_product
from core.events import Product
from core.files.system import of_the_system
from core.media.probe import kind_of

_NOWHERE = "is a link that leads nowhere"


@dataclass(frozen=True, slots=True)
class ProductPicture:
    """A picture of a product."""

    path: Path
    product: Product


@dataclass(slots=True)
class ProductFolders:
    """What was found below a folder.

    Attributes:
        products: how many products have pictures.
        pictures: of all products, by path.
        problems: what could not be read, with the reason; products among it are left out.
        elsewhere: links to folders that are read where they lie, with the reason why not here.
        same_id: product ids that several folders claim, with these. Their pictures are found, as
            those of one product.
        bare: folders of products without a picture.
        loose: pictures that lie in no product's folder.
        ignored: files that are no picture, by extension.
    """

    products: int = 0
    pictures: list[ProductPicture] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    elsewhere: list[tuple[Path, str]] = field(default_factory=list)
    same_id: dict[str, list[Path]] = field(default_factory=dict)
    bare: list[Path] = field(default_factory=list)
    loose: int = 0
    ignored: Counter[str] = field(default_factory=Counter)


def read_product_folders(root: Path) -> ProductFolders:
    """All products in ``root`` and below, or ``root`` itself if it is one; blocks.

    Links to folders are followed, each folder is read once. Bins, snapshots and hidden folders
    are left out.
    """
    found = ProductFolders()
    claims: dict[str, list[Path]] = {}
    for folder in _Walk(root.absolute(), found):
        try:
            if not _is_text(folder.name):
                found.problems.append((folder, "its name is not UTF-8: rename it"))
                continue
            product = read_product(folder)
        except (OSError, ValueError) as error:
            found.problems.append((folder / INFO, _reason(error)))
            continue
        try:
            pictures = list(_pictures(folder, found))
        except OSError as error:
            found.problems.append((folder, _reason(error)))
            continue
        claims.setdefault(product.id, []).append(folder)
        found.pictures += [ProductPicture(path, product) for path in pictures]
        if pictures:
            found.products += 1
        else:
            found.bare.append(folder)
    found.same_id = {claimed: folders for claimed, folders in claims.items() if len(folders) > 1}
    return found


class _Walk:
    """The folders of products, in order of their names; those that links lead to come last, so
    that what a link repeats is read where it lies. What is inside a product's folder belongs to
    no other."""

    def __init__(self, root: Path, found: ProductFolders) -> None:
        self._root = root
        self._found = found
        self._pending = [root]
        self._links: list[Path] = []
        self._seen: dict[tuple[int, int], Path] = {}

    def __iter__(self) -> Iterator[Path]:
        while self._pending or self._links:
            linked = not self._pending
            folder = self._links.pop(0) if linked else self._pending.pop()
            try:
                if (reason := self._elsewhere(folder, linked)) is not None:
                    self._found.elsewhere.append((folder, reason))
                elif _is_product(folder):
                    yield folder
                else:
                    self._enter(folder)
            except OSError as error:
                self._found.problems.append((folder, _reason(error)))

    def _elsewhere(self, folder: Path, linked: bool) -> str | None:
        """Why not to read a folder here: it is, or will be, read elsewhere."""
        if linked:
            real = os.path.realpath(folder)
            if any(
                Path(os.path.realpath(inside)).is_relative_to(real)
                for inside in (self._root, folder.parent)
            ):
                return f"is a link back to {real}, which it lies in itself"
        status = folder.stat()
        known = self._seen.setdefault((status.st_dev, status.st_ino), folder)
        return None if known is folder else f"is the same folder as {known}, which was read"

    def _enter(self, folder: Path) -> None:
        below: list[Path] = []
        for entry in _listed(folder):
            path = folder / entry.name
            if entry.is_symlink():
                self._follow(path)
            elif entry.is_dir():
                below.append(path)
            else:
                self._found.loose += kind_of(path) == "picture"
        self._pending += reversed(below)

    def _follow(self, path: Path) -> None:
        try:
            if stat.S_ISDIR(path.stat().st_mode):
                self._links.append(path)
            else:
                self._found.loose += kind_of(path) == "picture"
        except FileNotFoundError:
            self._found.problems.append((path, _NOWHERE))
        except OSError as error:
            self._found.problems.append((path, _reason(error)))


def _is_product(folder: Path) -> bool:
    return id_in_name(folder) != "" or os.path.lexists(folder / INFO)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        ours = [e for e in entries if not e.name.startswith(".") and not of_the_system(e.name)]
    return sorted(ours, key=lambda entry: entry.name)


def _pictures(folder: Path, found: ProductFolders) -> Iterator[Path]:
    """The pictures directly in it; notes what looks like one and cannot be read."""
    for entry in _listed(folder):
        path = folder / entry.name
        picture = kind_of(path) == "picture"
        try:
            mode = path.stat().st_mode
        except OSError as error:
            reason = _NOWHERE if isinstance(error, FileNotFoundError) else _reason(error)
            if picture:
                found.problems.append((path, reason))
            continue
        if stat.S_ISDIR(mode):
            continue
        if picture and stat.S_ISREG(mode):
            yield path
        elif picture:
            found.problems.append((path, "is not a regular file"))
        elif not entry.name.startswith("product_info."):
            found.ignored[PurePath(entry.name).suffix.lower()] += 1


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or "cannot be read"


def _is_text(name: str) -> bool:
    """Whether a file's name is UTF-8; else it holds bytes as halves of characters (PEP 383)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
