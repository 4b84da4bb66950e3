"""Two pipelines in the same points, and one pipeline under two specs: one run is stopped, another runs to its end."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.flux.ledger_read import ClaimsOf
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, now

pytestmark = pytest.mark.live

HOUR = interval("2025-03-08T00:00", "2025-03-08T01:00")
MAX_CUTS = 60
NUMBERS = count()


class Going:
    """A verb that is acted out step by step.

    :param pending: the next step; None when it has ended
    """

    def __init__(self, client: InfluxClient, steps: Any) -> None:
        self._client, self._steps = client, steps
        self.pending = next(steps)

    def advance(self) -> bool:
        """Act the next step out; False when there is none."""
        if self.pending is None:
            return False
        try:
            answer = None if isinstance(self.pending, Report) else act(self.pending, self._client)
            self.pending = self._steps.send(answer)
        except StopIteration:
            self.pending = None
        return True


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


def rows_of(place: Place, bucket: str, measurement: str) -> list[Any]:
    """All rows of a measurement."""
    flux = (
        f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => r._measurement == "{measurement}")'
    )
    return query(place.server.url, place.server.org, place.server.token, flux)


def stored(place: Place) -> dict[tuple[Any, ...], Any]:
    """The target's values by time, device and field."""
    rows = rows_of(place, place.target, place.measurement)
    return {(row["_time"], row["device"], row["_field"]): row["_value"] for row in rows}


def state_of(place: Place, pipeline: str) -> str:
    """The state of a pipeline's only window; one that another run has claimed since its commit is WRITING."""
    rows = rows_of(place, place.ledger, "window_receipt")
    fields = {row["_field"]: row["_value"] for row in rows if row["pipeline"] == pipeline}
    is_overtaken = fields["claimed_by"] != fields["committed_by"]
    return "WRITING" if is_overtaken else str(fields["state"])


def run(client: InfluxClient, verb: Any, spec: RollupSpec, span: Interval) -> Any:
    """A whole run."""
    return drive(verb(spec, span, RUN, now), client, lambda _: None)


# of the steps between the read of a ghost's point and what is written back; the others are tried by `make soak`
GHOST_CUTS = (17, 19, 21)
# and of the other pipeline's run: before its last look, and before its commit
OTHER_CUTS = (8, 9)
SPEC_CUTS = (("old", 4), ("new", 9), ("new", 13))
OTHER = replace(RUN, run_id="other")


def ghost_cut(
    client: InfluxClient, place: Place, verb: Any, cut: int, other_cut: int = MAX_CUTS
) -> tuple[bool, bool, bool]:
    """One order of a run that removes a ghost and another pipeline's that is stopped too.

    :return: whether the first had ended, whether the other had, and whether its window is torn
    """
    own = replace(place, measurement=f"shared_{next(NUMBERS)}")
    at = HOUR.start_ns
    client.write_lines(
        own.source,
        [f"{own.measurement},device=a temp=1.0,n=5i {at}", f"{own.measurement},device=b temp=2.0 {at}"],
    )
    temp = own.spec("1h", ("count", "sum"), fields=("temp",), pipeline=f"{own.measurement} temp")
    n = own.spec("1h", ("count", "sum"), fields=("n",), pipeline=f"{own.measurement} n")
    for spec in (temp, n):
        run(client, roll_up, spec, HOUR)
    client.delete(own.source, HOUR, f'_measurement="{own.measurement}" AND device="a"')
    client.write_lines(own.source, [f"{own.measurement},device=a n=5i {at}"])
    going = Going(client, verb(temp, HOUR, RUN, now))
    ended = not all(going.advance() for _ in range(cut)) or going.pending is None
    client.write_lines(own.source, [f"{own.measurement},device=a n=7i {at}"])
    other = Going(client, roll_up(n, HOUR, OTHER, now))
    other_ended = not all(other.advance() for _ in range(other_cut)) or other.pending is None
    for one in (going, other):
        while one.advance():
            pass
    torn = state_of(own, f"{own.measurement} n") != "COMMITTED"
    if not torn:
        assert stored(own)[at, "a", "n_sum"] == 7, (cut, other_cut)
    assert (at, "a", "temp_sum") not in stored(own), (cut, other_cut)
    run(client, reconcile, n, HOUR)
    assert stored(own)[at, "a", "n_sum"] == 7, (cut, other_cut)
    return ended, other_ended, torn


@pytest.mark.parametrize("cut", GHOST_CUTS)
@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_committed_value_is_never_old_when_a_ghost_of_its_point_is_removed(
    client: InfluxClient, place: Place, verb: Any, cut: int
) -> None:
    ended, _, torn = ghost_cut(client, place, verb, cut)
    # or the other run does not fall between the two
    assert (ended, torn) == (False, True)


@pytest.mark.parametrize("other_cut", OTHER_CUTS)
@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_committed_value_is_never_old_when_both_runs_are_on_their_way(
    client: InfluxClient, place: Place, verb: Any, other_cut: int
) -> None:
    assert not any(ghost_cut(client, place, verb, 19, other_cut)[:2])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_committed_value_is_never_old_at_every_cut(client: InfluxClient, place: Place, verb: Any) -> None:
    torn_cuts = 0
    for cut in range(MAX_CUTS):
        ended, _, torn = ghost_cut(client, place, verb, cut)
        torn_cuts += torn
        if ended:
            # before each step from the last look at the point to the second look at what others have committed
            assert 1 <= torn_cuts <= 9
            return
    pytest.fail("there are more steps than cuts")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_committed_value_is_never_old_at_every_cut_of_both_runs(
    client: InfluxClient, place: Place, verb: Any
) -> None:
    for cut in range(MAX_CUTS):
        for other_cut in range(MAX_CUTS):
            ended, other_ended, _ = ghost_cut(client, place, verb, cut, other_cut)
            if other_ended:
                break
        if ended:
            assert cut > max(GHOST_CUTS)
            return
    pytest.fail("there are more steps than cuts")


def specs_cut(client: InfluxClient, place: Place, first: str, cut: int) -> bool:
    """One order of two specs of a pipeline; whether the run that is stopped had ended."""
    own = replace(place, measurement=f"specs_{next(NUMBERS)}")
    at = HOUR.start_ns
    client.write_lines(own.source, [f"{own.measurement},device=a temp={k}.5 {at + k}" for k in range(4)])
    old = own.spec("1h", ("count", "sum"), fields=("temp",), pipeline=own.measurement)
    new = own.spec("1h", ("count", "max"), fields=("temp",), pipeline=own.measurement)
    run(client, roll_up, old, HOUR)
    stops, other = (old, new) if first == "old" else (new, old)
    going = Going(client, roll_up(stops, HOUR, RUN, now))
    ended = not all(going.advance() for _ in range(cut)) or going.pending is None
    run(client, roll_up, other, HOUR)
    finish(going)
    run(client, reconcile, new, HOUR)
    assert stored(own) == {(at, "a", "temp_count"): 4, (at, "a", "temp_max"): 3.5}, cut
    assert run(client, reconcile, new, HOUR).is_clean, cut
    return ended


@pytest.mark.parametrize(("first", "cut"), SPEC_CUTS)
def test_reconcile_finds_rows_of_an_earlier_spec_when_it_was_used_at_the_same_time(
    client: InfluxClient, place: Place, first: str, cut: int
) -> None:
    assert not specs_cut(client, place, first, cut)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", ["old", "new"])
def test_reconcile_finds_rows_of_an_earlier_spec_at_every_cut(
    client: InfluxClient, place: Place, first: str
) -> None:
    for cut in range(MAX_CUTS):
        if specs_cut(client, place, first, cut):
            assert cut > 5
            return
    pytest.fail("there are more steps than cuts")


def finish(going: Going) -> None:
    """Act the rest out; a run may be refused, for the other one has changed what it is about."""
    try:
        while going.advance():
            pass
    except InfluxRollupError:
        going.pending = None


@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_run_that_leaves_a_window_to_another_one_writes_none_of_its_rows_over_those(
    client: InfluxClient, place: Place, verb: Any
) -> None:
    own = replace(place, measurement=f"left_{next(NUMBERS)}")
    at = HOUR.start_ns
    client.write_lines(own.source, [f"{own.measurement},device=a temp=1.0 {at}"])
    old = own.spec("1h", ("count", "sum"), fields=("temp",), pipeline=own.measurement)
    new = own.spec("1h", ("count", "max"), fields=("temp",), pipeline=own.measurement)
    run(client, roll_up, old, HOUR)
    client.write_lines(own.target, [f'{own.measurement},device=a note="by hand" {at}'])
    going = Going(client, verb(new, HOUR, RUN, now))
    # it has read and written, and looks who has the window before it deletes the sums
    while not isinstance(going.pending, ClaimsOf):
        assert going.advance()
    client.write_lines(own.source, [f"{own.measurement},device=a temp=9.0 {at + 1}"])
    drive(roll_up(new, HOUR, OTHER, now), client, lambda _: None)
    # it gives way, and dies before it reads the window again
    while going.advance() and not isinstance(going.pending, Gather):
        pass
    assert state_of(own, own.measurement) == "COMMITTED"
    values = {key[2]: value for key, value in stored(own).items()}
    assert values == {"temp_count": 2, "temp_max": 9.0, "note": "by hand"}
