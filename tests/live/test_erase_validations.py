"""A validation that copies points for the first time while their series are erased."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, SourceChanging
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.validation.catalog import rules_of
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, WINDOW, point
from tests.scenes.cuts import cut, may_change
from tests.scenes.erase_scene import CUSTOMER, EraseScene, Going, make_erase_scene
from tests.scenes.purge_scene import ARCHIVED_AT

pytestmark = pytest.mark.live

MAX_CUTS = 60


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_erase_scene(influx, client, tmp_path)


def finish(going: Going) -> None:
    """Act out all that is left."""
    while going.advance():
        pass


def error_of(going: Going) -> InfluxRollupError | None:
    """Act out all that is left; how it ended."""
    try:
        finish(going)
    except InfluxRollupError as error:
        return error
    return None


def fill(scene: EraseScene) -> None:
    """A wrong point of two customers, archived."""
    scene.add(point(1, CUSTOMER, "temp", 99.0), point(1, {"customer": "7"}, "temp", 98.0))
    scene.archive(WINDOW)


def spec_of(scene: EraseScene, copies: str) -> ValidateSpec:
    """A validation that copies wrong points."""
    return ValidateSpec(
        bucket=scene.bucket,
        measurement="m",
        rules=rules_of([{"rule": "range", "field": "temp", "high": 50}]),
        quarantine_bucket=copies,
        ledger_bucket=scene.ledger,
    )


def customers(scene: EraseScene, copies: str) -> set[str]:
    """Whose points are in the quarantine."""
    return {dict(row[1])["customer"] for row in scene.rows(copies)}


def test_no_certificate_when_a_validation_copies_the_points_for_the_first_time_meanwhile(
    scene: EraseScene, client: InfluxClient
) -> None:
    copies = f"{scene.bucket}_copies"
    spec = spec_of(scene, copies)
    fill(scene)
    going = Going(scene, scene.erase_steps())
    while not isinstance(going.pending, Delete):
        assert going.advance(), going.seen
    drive(validate(spec, WINDOW, RUN, lambda: ARCHIVED_AT), client, scene.tell)
    with pytest.raises(SourceChanging, match=f"copies points to '{copies}/m'"):
        finish(going)
    assert scene.erase_certificates() == []
    scene.erase()
    assert len(scene.erase_certificates()) == 1
    assert customers(scene, copies) == {"7"}


# before each step that changes something, and after the end; the others are tried by `make soak`, and by
# schedules of the simulator, in which validations hang before any step
SPREAD = [
    pytest.param(True, id="where something changes"),
    pytest.param(False, id="every cut", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
]


@pytest.mark.parametrize("only_changes", SPREAD)
def test_validation_that_goes_on_after_an_erasure_fails_when_it_copied_what_was_erased(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, *, only_changes: bool
) -> None:
    errors: dict[type[InfluxRollupError], list[int]] = defaultdict(list)
    for number in range(MAX_CUTS):
        scene = make_erase_scene(influx, client, tmp_path / str(number))
        fill(scene)
        copies = f"{scene.bucket}_copies"
        steps = partial(validate, spec_of(scene, copies), WINDOW, RUN, lambda: ARCHIVED_AT)
        hung = Going(scene, steps())
        if not cut(hung, may_change if only_changes else lambda _step: True, number):
            break
        scene.erase()
        assert len(scene.erase_certificates()) == 1
        error = error_of(hung)
        if error is not None:
            # a retry of the task
            assert not error.permanent, error
            drive(steps(), client, scene.tell)
            errors[type(error)].append(number)
        assert customers(scene, copies) == {"7"}, number
    assert (4 if only_changes else 12) < number < MAX_CUTS - 1
    assert errors[SourceChanging], "no cut was between the read and the write"
