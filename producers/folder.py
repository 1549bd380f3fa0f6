"""The folder producer: every picture and video that arrives in a folder is announced once.

The same bytes under the same name say nothing new, so a touched file, or one that went and came
back, is not announced again; new bytes under the name are, and so are the same bytes under
another name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import SettingsError
from core.intake.intake import Intake
from core.intake.originals import FileMark
from core.runtime.retry import RetryPolicy
from core.state.port import StateStore
from producers.folder_admission import FolderAdmission, Prober
from producers.folder_place import FolderPlace
from producers.hold import Hold
from producers.marks import SeenMarks
from producers.options import FolderOptions
from producers.overlap import refuse_overlap
from producers.producer import Producer, Standing

NAME = "folder"


@dataclass(frozen=True, slots=True)
class FolderStatus(Standing):
    """How it stands, for the status line and health.

    Attributes:
        settling: of the seen, on their way in.
        undecodable: of these, still but not decodable, to be announced when patience ends.
        unreadable: of the seen, not ours to read; they wait for their permissions.
        too_large: of the seen, refused for their size.
        no_room: of the seen, too large for what is left on the disk; they wait for room.
        why: what is to be done about one of those two, else empty.
    """

    settling: int
    undecodable: int
    unreadable: int
    too_large: int = 0
    no_room: int = 0
    why: str = ""

    @property
    def refused(self) -> dict[str, int]:
        """How many are not taken in as they are, by reason."""
        return {
            "undecodable": self.undecodable,
            "unreadable": self.unreadable,
            "too_large": self.too_large,
            "no_room": self.no_room,
        }


class FolderProducer(Producer[FileMark, str]):
    """Announces what arrives in one folder and below.

    Args:
        folder: to watch; resolved, so that a link to it names the same place.
        data_folder: the engine's own, or None if it has none on this host.
        clock: seconds, monotonic.

    Raises:
        SettingsError: the folder is missing, or it and the data folder lie in one another.
    """

    def __init__(
        self,
        folder: Path,
        *,
        intake: Intake,
        state: StateStore,
        prober: Prober,
        data_folder: Path | None,
        options: FolderOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not folder.is_dir():
            raise SettingsError(f"the folder to watch is missing: {folder}")
        if data_folder is not None:
            refuse_overlap(folder, data_folder)
        options, folder = options or FolderOptions(), folder.resolve()
        marks, wake = SeenMarks(state, NAME, folder.as_uri()), asyncio.Event()
        place = FolderPlace(str(folder), options.self_test_s, marks)
        self._on_their_way = admission = FolderAdmission(
            str(folder),
            intake=intake,
            prober=prober,
            marks=marks,
            options=options,
            clock=clock,
            on_taken=place.taken,
            on_progress=wake.set,
        )
        # A folder costs little to look for, and may be mounted at any moment.
        steady = RetryPolicy(base_s=options.poll_s, cap_s=options.poll_s)
        super().__init__(
            place,
            admission,
            marks=marks,
            intake=intake,
            options=options,
            away=Hold(steady, producer=NAME, place=marks.place),
            wake=wake,
            clock=clock,
        )

    @property
    def status(self) -> FolderStatus:
        standing, settling = self.standing, self._on_their_way.settling
        return FolderStatus(
            state=standing.state,
            reason=standing.reason,
            seen=standing.seen,
            announced=standing.announced,
            ignored=standing.ignored,
            settling=len(settling) - settling.standing,
            undecodable=settling.refused("undecodable"),
            unreadable=settling.refused("unreadable"),
            too_large=settling.refused("too_large"),
            no_room=settling.refused("no_room"),
            why=settling.why(),
        )
