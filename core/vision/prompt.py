"""The grammar of prompts, which every profile reads alike."""

from __future__ import annotations

import re

_END_OF_PHRASE = re.compile(r"[.\n]")


def phrases(prompt: str) -> tuple[str, ...]:
    """The phrases of a prompt, in order: parted by periods or line ends, in lower case, with
    single spaces between words. None of them is empty; an empty prompt has none."""
    return tuple(
        phrase
        for part in _END_OF_PHRASE.split(prompt)
        if (phrase := " ".join(part.lower().split()))
    )
