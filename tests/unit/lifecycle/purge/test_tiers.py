"""What a purge asks of the pipelines that were compared, right before it deletes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_influx_rollup.exceptions import PurgeRefused
from airflow_provider_influx_rollup.flux.query import Together
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge_run import PurgeRun
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.purge.tiers import TierProof, require_unchanged
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval
from tests.scenes.scripted_driver import Script

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Interval(EPOCH, NOW)
LEDGER = Bucket(name="l", retention_seconds=0, shard_group_seconds=0)
RUN = PurgeRun(
    spec=PurgeSpec(
        archive=ArchiveSpec(org="dev", bucket="raw", measurement="m", shown_path="/data", ledger_bucket="l")
    ),
    info=RunInfo(),
    now=lambda: NOW,
    stored=(),
    key=None,
    dry_run=False,
)
PROOF = TierProof(
    pipeline="hourly",
    spec_hash="h",
    interval=WINDOW.as_json(),
    windows=1,
    generation=1,
    rows_out=1,
    checksum="c",
    compared=True,
)


def test_purge_is_refused_when_the_ledger_has_lost_a_pipeline_that_was_compared() -> None:
    steps = require_unchanged(RUN, WINDOW, [PROOF])
    with pytest.raises(PurgeRefused, match=r"'hourly'.* is not in the ledger any more") as caught:
        Script(steps, [(FindBucket, LEDGER), (Together, ([], BucketNames()))]).run()
    assert caught.value.fix is not None
    assert "run pipeline 'hourly' once" in caught.value.fix
