"""All orders of pairs that seeds choose."""

from __future__ import annotations

import pytest

from tests.simulation.actors import from_json
from tests.simulation.every_order import Moment
from tests.simulation.random_pairs import explore_pair, pair_of
from tests.simulation.schedule import play, play_seed

#: two runs of one pipeline in one hour
SAME_WINDOW = 39


def test_pair_is_two_of_those_that_a_seed_lets_meet() -> None:
    for seed in range(20):
        whole, (two, deaths) = play_seed(seed)[0], pair_of(seed)
        assert (two.variant, two.beginning) == (whole.variant, whole.beginning)
        first, second = two.actors
        assert first in whole.actors
        assert second in whole.actors
        assert deaths in (0, 1)
        assert pair_of(seed) == (two, deaths)


def test_failure_of_a_pair_is_found_and_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, deaths = pair_of(SAME_WINDOW)
    assert deaths == 0
    Moment(scenario).go_on()
    monkeypatch.setattr("airflow_provider_influx_rollup.ledger.codec.CLAIMED_BY", "nobody_reads_this")
    scenario, found = explore_pair(SAME_WINDOW, seconds=30)
    ((moves, problems),) = found.failures
    assert play(*from_json(scenario.as_json(moves))) == problems
