"""Addresses of servers, as settings and options give them."""

from __future__ import annotations

from urllib.parse import unquote


def refuse_userinfo(address: str, instead: str) -> str:
    """The address, or several with commas between, as given.

    Addresses stand in messages, logs and documents, so a password in one would be everywhere.

    Args:
        instead: which settings take a login.

    Raises:
        ValueError: it names a user, or may; the message does not repeat it.
    """
    if "@" in unquote(address):
        raise ValueError(
            "an address is shown in messages and logs, so it must not hold a user or a password:"
            f" leave out the part up to the @; {instead}"
        )
    return address
