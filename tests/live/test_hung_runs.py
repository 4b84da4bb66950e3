"""A run that hangs longer than others wait for it, and goes on after another one has done its window."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import SourceChanging
from airflow_provider_influx_rollup.steps.influx import Report
from tests.conftest import InfluxServer
from tests.scenes.hung_scene import HOUR, HUNG, HungScene
from tests.scenes.rollup_runs import Place, make_place

pytestmark = pytest.mark.live

MAX_CUTS = 80
KINDS = ("new", "over", "swap")
# steps before which the first run hangs: those around its read, its write and its last look; `make soak` tries all
CUTS = {"rollup": (6, 7, 8, 9), "reconcile": (7, 8, 9, 11)}


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


def run_cut(scene: HungScene, verb: str, cut: int, other_cut: int = MAX_CUTS) -> tuple[bool, bool]:
    """One order of two runs; whether the first one has so many steps, and whether the other had ended when it went on."""
    if verb == "reconcile":
        scene.run("rollup", "before")
        scene.write(["device=d temp=7.5 1741392000000000777"])
    first = scene.hanging(verb, "first")
    if not first.advance_to(cut):
        return False, True
    before = scene.expected()
    scene.change()
    other = scene.hanging("heal", "other")
    ended = not other.advance_to(other_cut)
    first.finish()
    other.finish()
    about = (
        scene.kind,
        verb,
        cut,
        other_cut,
        first.seen[cut - 2 : cut + 2],
        str(first.error),
        str(other.error),
    )
    if scene.is_committed() and scene.rows() == before and not scene.has_committed("other"):
        # nobody has read the window since the source changed: this is a late point as any
        scene.run("reconcile", "third")
        assert scene.is_right(), about
    elif scene.is_committed():
        assert scene.is_right(), about
    else:
        scene.clock.time += HUNG
        scene.run("heal", "third")
        assert scene.is_committed(), about
        assert scene.is_right(), about
    return True, ended


@pytest.mark.parametrize(("verb", "cut"), [(verb, cut) for verb, cuts in CUTS.items() for cut in cuts])
@pytest.mark.parametrize("kind", KINDS)
def test_committed_window_is_right_when_a_run_that_hung_goes_on(
    client: InfluxClient, place: Place, verb: str, cut: int, kind: str
) -> None:
    assert run_cut(HungScene(client, place, kind), verb, cut)[0]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", CUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_committed_window_is_right_at_every_cut_of_both_runs(
    client: InfluxClient, place: Place, verb: str, kind: str
) -> None:
    for cut in range(MAX_CUTS):
        for other_cut in range(MAX_CUTS):
            is_long, ended = run_cut(HungScene(client, place, kind), verb, cut, other_cut)
            if ended:
                break
        if not is_long:
            assert cut > max(CUTS[verb])
            return
    pytest.fail("there are more steps than cuts")


@pytest.mark.parametrize("kind", KINDS)
def test_two_runs_that_take_turns_both_end(client: InfluxClient, place: Place, kind: str) -> None:
    scene = HungScene(client, place, kind)
    runs = [scene.hanging("rollup", name) for name in ("first", "second")]
    while any(run.pending for run in runs):
        for run in runs:
            run.advance()
    assert [run.error for run in runs] == [None, None]
    assert scene.is_committed()
    assert scene.is_right()


def test_run_says_that_others_claim_its_windows_when_they_never_stop(
    client: InfluxClient, place: Place
) -> None:
    scene = HungScene(client, place, "new")
    run = scene.hanging("rollup", "first")
    names = iter(range(MAX_CUTS))
    while run.pending is not None:
        if "Write" in run.seen[:-1]:
            claim = f'claimed_by="{next(names):016x}" {HOUR.start_ns}'
            receipt = f"window_receipt,pipeline={scene.place.measurement},stage=rollup"
            client.write_lines(place.ledger, [f"{receipt} {claim}"])
        run.advance()
    error = run.error
    assert isinstance(error, SourceChanging)
    assert "other runs kept claiming" in error.what
    assert error.fix == "run it again when the other run has ended"
    assert "lateness" not in str(error)
    scene.clock.time += HUNG
    scene.run("heal", "third")
    assert scene.is_right()


def test_receipt_counts_all_rows_when_another_run_has_committed_what_a_reconcile_had_read(
    client: InfluxClient, place: Place
) -> None:
    scene = HungScene(client, place, "new")
    scene.run("rollup", "before")
    scene.write([f"device=c temp=7.5 {HOUR.start_ns + 7}"])
    first = scene.hanging("reconcile", "first")
    while not (isinstance(first.pending, Report) and "are dirty" in first.pending.message):
        assert first.advance()
    scene.change()
    scene.run("rollup", "other")
    first.finish()
    assert first.error is None
    assert scene.is_committed()
    assert scene.is_right()
    assert scene.receipt()["rows_out"] == len(scene.rows())
    assert scene.receipt()["series"] == len({device for device, _ in scene.rows()})
