from __future__ import annotations

from tests.infra.cli.conftest import Tagger, lines


def test_topics_are_listed_with_their_records_and_readers(shared: Tagger) -> None:
    topics = {line["name"]: line for line in lines(shared("topics", "list", "--json"))}

    assert topics["media.uploaded"]["records"] == 5
    assert topics["media.uploaded"]["lag"] == {"frames": 0, "results": 0}
    assert topics["media.tagged"]["compacted"] is True
    assert "items.matched" in shared("topics", "list").stdout


def test_tail_prints_cloudevents_with_their_place_in_the_log(shared: Tagger) -> None:
    printed = lines(shared("topics", "tail", "media.tagged", "--json"))

    assert len(printed) == 5
    assert {line["event"]["type"] for line in printed} == {"media.tagged.v1"}
    assert all(line["event"]["data"]["media_id"] == line["event"]["subject"] for line in printed)
    assert len({(line["partition"], line["offset"]) for line in printed}) == 5


def test_tail_from_the_end_prints_nothing_old(shared: Tagger) -> None:
    assert shared("topics", "tail", "media.uploaded", "--from", "latest").stdout == ""


def test_a_group_goes_on_where_it_stopped(shared: Tagger) -> None:
    first = lines(shared("topics", "tail", "media.uploaded", "--group", "shop", "--json"))
    again = lines(shared("topics", "tail", "media.uploaded", "--group", "shop", "--json"))

    assert (len(first), len(again)) == (5, 0)


def test_a_new_group_may_begin_at_the_end(shared: Tagger) -> None:
    arguments = ("topics", "tail", "media.uploaded", "--group", "late", "--json")

    assert lines(shared(*arguments, "--from", "latest")) == []
    assert lines(shared(*arguments)) == []


def test_a_stage_of_the_engine_is_no_group_to_read_as(shared: Tagger) -> None:
    result = shared("topics", "tail", "media.uploaded", "--group", "frames")

    assert "stage of the engine" in str(result.exception)


def test_an_unknown_topic_is_answered_with_those_there_are(shared: Tagger) -> None:
    result = shared("topics", "tail", "media.upladed")

    assert "media.uploaded" in str(result.exception)
