"""Folders that operating systems and storage boxes make among people's own: bins, snapshots,
previews. What is in them is a copy of what lies elsewhere, or was thrown away."""

from __future__ import annotations

import re

_NAMES = frozenset(
    {
        # Bins: Windows, Samba and Synology, QNAP, Buffalo, Netgear and Asustor, macOS over AFP.
        *("$recycle.bin", "#recycle", "@recycle", "@sharebin", "trashbox"),
        *("recycle bin", "network recycle bin", "network trash folder"),
        # Snapshots: Synology, QNAP, NetApp, btrfs' snapper. Those of others begin with a dot.
        *("#snapshot", "@sharesnap", "@recently-snapshot", "@snapshots", "~snapshot"),
        # Previews and work in progress: Synology; what macOS puts into archives.
        *("@eadir", "@tmp", "__macosx", "temporary items"),
        # File systems' own: NTFS, ext.
        *("system volume information", "lost+found"),
    }
)
_PATTERNS = re.compile(
    r"""
      \.trash.*                       # freedesktop.org, macOS
    | recycler                        # Windows XP
    | found\.\d{3}                    # what chkdsk saved
    | @gmt-\d{4}\.\d\d\.\d\d-.*       # previous versions in Samba
    | network\ recycle\ bin\ \d+      # QNAP
    """,
    re.VERBOSE,
)


def of_the_system(name: str) -> bool:
    """Whether a folder of this name is one of those, in whatever case it is written."""
    low = name.lower()
    return low in _NAMES or _PATTERNS.fullmatch(low) is not None
