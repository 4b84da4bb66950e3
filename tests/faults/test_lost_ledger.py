"""A ledger that somebody deletes: nothing is lost with it, and runs make it again."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    ConfigurationError,
    InfluxRollupError,
    ReceiptMissing,
)
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.stores.actions import actions_with
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.faults.under_faults import Cured, live_once, require_told
from tests.scenes.archive_scene import RUN, WINDOW
from tests.scenes.interleaving_scene import Verb
from tests.scenes.purge_scene import DAY, PURGED_AT, PurgeScene, as_facts, inside, make_purge_scene

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(900)]

# a seed that failed: LEDGER_FIRST=<seed> LEDGER_WORLDS=1
FIRST = int(os.environ.get("LEDGER_FIRST", "1"))
WORLDS = int(os.environ.get("LEDGER_WORLDS", "12"))


class Unrecorded(Cured):
    """A world without purges, whose ledger may be away."""

    def _make(self, name: str) -> Verb:
        return super()._make({"purge": "roll up", "restore": "reconcile"}.get(name, name))

    @property
    def has_ledger(self) -> bool:
        """Whether it is there."""
        address = InfluxAddress(self.server.url, self.server.org, self.server.token)
        return self.ledger in address.buckets()

    def marks(self) -> dict[int, str]:
        """As always; none, without a ledger."""
        return super().marks() if self.has_ledger else {}

    def committed(self, pipeline: str) -> list[Any]:
        """As always; none, without a ledger."""
        return super().committed(pipeline) if self.has_ledger else []


def test_every_stage_is_right_after_its_ledger_was_deleted(influx: InfluxServer, tmp_path: Path) -> None:
    address = InfluxAddress(influx.url, influx.org, influx.token)
    names: Counter[str] = Counter()
    met: list[InfluxRollupError] = []

    def delete() -> None:
        for name in address.buckets():
            if name.startswith("ledger_"):
                address.delete_bucket(name)

    for seed in range(FIRST, FIRST + WORLDS):
        failed = live_once(Unrecorded, influx, tmp_path, seed, happens=delete, cure=lambda: None)
        names.update(require_told(verb, seed, [influx.token]) for verb in failed)
        met += [one.error for one in failed if one.error is not None]
    sys.stdout.write(json.dumps({"worlds": WORLDS, "failed verbs": names}))
    assert met
    for error in met:
        if isinstance(error, ReceiptMissing):
            # a stage that began after the deletion has made the bucket again, which knows no pipeline
            assert "has never run" in str(error)
            continue
        assert isinstance(error, BucketNotFound), error
        assert "bucket 'ledger_" in str(error)
        assert "create the bucket" in str(error)


@pytest.fixture
def purged(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    """A window whose points are in the archive alone, and a ledger that says nothing of it any more."""
    scene = make_purge_scene(influx, client, tmp_path)
    scene.purge()
    assert not as_facts(inside()) & scene.facts()
    InfluxAddress(influx.url, influx.org, influx.token).delete_bucket(scene.ledger)
    return scene


def test_rows_of_purged_points_stay_when_the_ledger_that_said_so_is_gone(purged: PurgeScene) -> None:
    before = purged.tiers()
    for attempt in (purged.roll, purged.reconcile):
        with pytest.raises(ConfigurationError, match="has no receipt of"):
            attempt(purged.hourly, DAY)
        pd.testing.assert_frame_equal(purged.tiers(), before)


def test_all_is_as_before_when_the_points_are_restored_under_a_new_ledger(purged: PurgeScene) -> None:
    before = purged.tiers()
    steps = restore(purged.restore_spec(), WINDOW, RUN, lambda: PURGED_AT)
    drive(steps, purged.client, purged.tell, actions_with(purged.store))
    assert as_facts(purged.points) == purged.facts()
    for spec in (purged.hourly, purged.daily):
        assert purged.roll(spec, DAY)["state"] == "COMMITTED"
    pd.testing.assert_frame_equal(purged.tiers(), before)
