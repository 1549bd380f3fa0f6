"""Text in cells of a CSV file that a spreadsheet shows and does not run.

Spreadsheets take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, whatever
quotes are around it; a tab or a line break before it is skipped. An apostrophe in front makes it
text. Where the list separator of the reader's country is a semicolon, quotes in a row mean
nothing and it is cut at each semicolon and line break, so what follows one begins a cell, too.

Source: OWASP, CSV Injection.
"""

from __future__ import annotations

import re

_BEGINS = r"(?<![^;\r\n])"
_FORMULA = r"(?=['\s\0]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
_UNGUARDED = re.compile(_BEGINS + _FORMULA)
_GUARDED = re.compile(_BEGINS + "'" + _FORMULA)
_NEGATIVE = re.compile(r"-[0-9]+(?:[.,][0-9]+)*")


def guarded(text: str) -> str:
    """The same, with an apostrophe before each begin of a formula; :func:`unguarded` takes them
    away again. Negative numbers stay as they are."""
    return text if _NEGATIVE.fullmatch(text) else _UNGUARDED.sub("'", text)


def unguarded(text: str) -> str:
    """What a cell that was :func:`guarded` said."""
    return _GUARDED.sub("", text)
