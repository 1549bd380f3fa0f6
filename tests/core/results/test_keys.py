"""Keys of results that lie in stores already: a change of one loses what is there."""

from __future__ import annotations

from core.results import keys


def test_results_lie_where_they_always_lay() -> None:
    assert keys.latest_key("m1") == "result/m1"
    assert keys.latest_prefix("m") == "result/m"
    assert keys.result_key("m1", "p1") == "results/m1/p1.json"


def test_a_medium_given_up_before_it_had_a_pipeline_has_a_result_too() -> None:
    assert keys.result_key("m1", "") == "results/m1/none.json"


def test_a_key_tells_its_medium() -> None:
    assert keys.media_of(keys.latest_key("m1")) == "m1"
