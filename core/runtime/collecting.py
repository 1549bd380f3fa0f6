"""How often a process that handles events looks for cycles among its objects."""

from __future__ import annotations

import gc

_YOUNG = 50_000
_MIDDLE = 20
_OLD = 50


def collect_seldom() -> None:
    """Lets the collector run after 50,000 new objects instead of 700 (2,000 in Python 3.12).

    An event's objects die by their reference counts, and nothing makes cycles event by event; so
    each run looks through what is in flight and finds nothing. Measured on the runner's loop, that
    is an eighth of its time.

    So nothing may make cycles, not even where an event fails. An error has the frames that it
    passed in its traceback, and they hold what was worked on. A frame that holds the error in turn
    closes a cycle: by its own name, by the future whose error it awaits, or by the task whose
    result the error is. So a frame forgets such a future before it ends, and an error that is
    returned, not raised, goes without its traceback.
    """
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
