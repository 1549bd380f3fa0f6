"""What is read past: counted, named with a reason, and in words that harm no terminal."""

from __future__ import annotations

from core.unread import Unread


def test_nothing_that_was_read_past_takes_no_words() -> None:
    assert Unread().words is None


def test_records_are_named_with_their_reasons() -> None:
    unread = Unread()
    unread.add("media.tagged:3:17", "no JSON")
    assert unread.words == "1 record could not be read: media.tagged:3:17 (no JSON)"

    unread.add("media.tagged:4:0", ValueError("too old"))
    assert unread.words == (
        "2 records could not be read: media.tagged:3:17 (no JSON), media.tagged:4:0 (too old)"
    )


def test_of_very_many_the_first_are_named_and_all_are_counted() -> None:
    unread, others = Unread(), Unread()
    for number in range(4):
        unread.add(f"t:0:{number}", "r")
    for number in range(996):
        others.add(f"t:1:{number}", "r")

    unread.extend(others)

    words = unread.words or ""
    assert unread.count == 1000
    assert words.startswith("1000 records could not be read: t:0:0 (r), ")
    assert words.endswith("t:1:0 (r) and 995 more")


def test_a_reason_is_a_line_of_bounded_length_whatever_others_wrote() -> None:
    unread = Unread()
    unread.add("t:0:0", "\x1b[2J\nred \ud800" + "x" * 10_000)

    words = unread.words or ""
    assert len(words) < 300
    assert words.isprintable()
    assert words.encode()
