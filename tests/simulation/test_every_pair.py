"""All orders of many pairs: minutes of them."""

from __future__ import annotations

import pytest

from tests.simulation.every_order import Explorer
from tests.simulation.pairs import pair

SECONDS = 900
#: variant, number of the beginning and of the hour, verbs, changes of a writer, deaths
PAIRS = (
    ("shared", 3, 0, "roll up, roll up", "", 1),
    ("shared", 3, 0, "roll up", "new a", 1),
    ("handed over", 3, 0, "roll up, roll up", "", 0),
    ("tiers", 4, 0, "roll up@daily, roll up@hourly", "", 0),
    ("archived", 4, 0, "archive, archive", "", 0),
    ("archived", 4, 0, "archive, purge", "", 1),
    ("archived", 4, 0, "archive, restore", "", 0),
    ("archived", 4, 0, "purge, compact", "", 0),
    ("archived", 4, 0, "restore, roll up", "", 0),
    ("archived", 7, 0, "purge, archive", "", 0),
    ("archived", 7, 0, "purge, roll up", "", 0),
)


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize(("variant", "beginning", "hour", "verbs", "change", "deaths"), PAIRS)
def test_nothing_is_wrong_in_any_order_of_a_pair(
    variant: str, beginning: int, hour: int, verbs: str, change: str, deaths: int
) -> None:
    names = verbs.split(", ")
    scenario = pair(variant, beginning, names, window=hour, changes=[change] if change else [])
    found = Explorer(scenario, deaths=deaths, death_of=range(len(names)), seconds=SECONDS).explore()
    assert found.failures == [], scenario.as_json(found.failures[0][0])
    assert found.cut == 0
