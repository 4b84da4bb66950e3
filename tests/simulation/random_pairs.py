"""Two runs of what a seed makes, in all orders for which there is time: what meets is chosen by chance, how it meets is not."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.simulation.actors import Scenario
from tests.simulation.every_order import Explorer, Orders
from tests.simulation.seeds import scenario_of

#: for each pair: many are whole by then, and of the others the rest is left out
SECONDS = 6.0
DEATHS = (0, 0, 1)


def pair_of(seed: int) -> tuple[Scenario, int]:
    """Two of the runs and writers of a seed's schedule, and how many of them may die."""
    random = Random(seed)
    scenario = scenario_of(random)
    two = tuple(random.sample(scenario.actors, 2))
    return replace(scenario, actors=two, has_own_clocks=True), random.choice(DEATHS)


def explore_pair(seed: int, seconds: float = SECONDS) -> tuple[Scenario, Orders]:
    """Play the orders of a seed's pair."""
    scenario, deaths = pair_of(seed)
    explorer = Explorer(scenario, deaths=deaths, death_of=range(len(scenario.actors)), seconds=seconds)
    return scenario, explorer.explore()
