"""Runs of the same window that are played in all orders: ``python -m tests.simulation every --help``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from tests.simulation.actors import Actor, Change, Scenario
from tests.simulation.every_order import Explorer, Orders
from tests.simulation.pipelines import HOUR_NS, VARIANTS

#: nanoseconds after the start of the window
LATE_POINT = 1_500


def pair(
    variant: str, beginning: int, verbs: Sequence[str], *, window: int = 0, changes: Sequence[str] = ()
) -> Scenario:
    """Runs of one window; of pipelines of the variant in turn, unless they are named.

    :param verbs: such as ``roll up``, or ``roll up@other`` of a pipeline by its name
    :param changes: of a writer beside them, such as ``new a`` or ``remove c``: a kind and a device
    """
    pipelines = VARIANTS[variant]
    actors = []
    for number, text in enumerate(verbs):
        verb, _, name = text.partition("@")
        its = next((one for one in pipelines if one.name == name), pipelines[number % len(pipelines)])
        first = window if len(its.windows) > 1 else 0
        actors.append(Actor(verb, its.name, first, first, f"run {number}"))
    if changes:
        actors.append(Actor("write", changes=tuple(map(_change, changes, [window] * len(changes)))))
    return Scenario(variant, beginning, tuple(actors), has_own_clocks=True)


def _change(text: str, window: int) -> Change:
    kind, device = text.split()
    return kind, device, window * HOUR_NS + (LATE_POINT if kind == "new" else 0), 1.0


def add_command(command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument(
        "verbs", nargs="+", help="two or three: 'roll up', 'purge', 'roll up@other' of a pipeline"
    )
    command.add_argument("--variant", default="plain", choices=list(VARIANTS), help="the pipelines (plain)")
    command.add_argument(
        "--beginning", type=int, default=1, help="number of the world that it begins with (1)"
    )
    command.add_argument("--window", type=int, default=0, help="number of the hour (0)")
    command.add_argument(
        "--change", action="append", default=[], help="of a writer: 'new a', 'remove c', 'over a'"
    )
    command.add_argument(
        "--deaths", type=int, default=0, help="how many runs die, or die and try again, at each place (0)"
    )
    command.add_argument("--minutes", type=float, default=60.0, help="for how long (60)")


def explore(arguments: argparse.Namespace, tell: Callable[[str], None]) -> tuple[Scenario, Orders]:
    """Play all orders of what a command has named."""
    scenario = pair(
        arguments.variant,
        arguments.beginning,
        arguments.verbs,
        window=arguments.window,
        changes=arguments.change,
    )
    explorer = Explorer(
        scenario,
        deaths=arguments.deaths,
        death_of=range(len(arguments.verbs)),
        seconds=arguments.minutes * 60,
        tell=lambda found: tell(f"{found.moments} moments so far, {len(found.ends)} ends"),
    )
    return scenario, explorer.explore()


def told(found: Orders) -> str:
    """What was played, for people."""
    least = "at least " if found.cut else ""
    whole = f"; CUT: {found.cut} moments are left out" if found.cut else ""
    return (
        f"{least}{found.orders:,} orders, through {found.moments:,} moments, to {len(found.ends)} different ends, "
        f"in {found.seconds:.0f} s{whole}"
    )
