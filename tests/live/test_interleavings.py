"""Random interleavings of verbs on one window and its neighbours: nothing lost, nothing torn, no window without its mark."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import make_archive_scene
from tests.scenes.interleaving_scene import Interleaving

pytestmark = pytest.mark.live

SEEDS = range(4)
# `make soak` runs all of these; a seed that failed: INTERLEAVING_SEEDS=1 INTERLEAVING_FIRST=<seed>
FIRST = int(os.environ.get("INTERLEAVING_FIRST", "4"))
MORE = int(os.environ.get("INTERLEAVING_SEEDS", "1000"))
BLOCK = 10


def run_seed(server: InfluxServer, client: InfluxClient, folder: Path, seed: int) -> None:
    """One interleaving; a failing one prints what was done."""
    address = InfluxAddress(server.url, server.org, server.token)
    with address.buckets_made_meanwhile_deleted():
        made = make_archive_scene(server, client, folder)
        scene = Interleaving(
            server, client, made.base, made.bucket, made.ledger, rolled=f"{made.bucket}_rolled"
        )
        client.ensure_bucket(scene.rolled)
        try:
            scene.begin(seed)
            scene.play()
            scene.require_rest()
        except BaseException as error:
            error.add_note("\n".join([f"seed {seed}:", *scene.schedule]))
            raise


@pytest.mark.parametrize("seed", SEEDS)
def test_points_rows_and_marks_are_right_when_verbs_run_at_once_and_die(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, seed: int
) -> None:
    run_seed(influx, client, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(FIRST, FIRST + MORE, BLOCK))
def test_points_rows_and_marks_are_right_in_many_interleavings(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, first: int
) -> None:
    for seed in range(first, min(first + BLOCK, FIRST + MORE)):
        run_seed(influx, client, tmp_path / str(seed), seed)
