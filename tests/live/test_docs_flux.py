from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.doc_blocks import Block, blocks

pytestmark = pytest.mark.live

WINDOW = Interval(datetime(2025, 1, 1, 5, tzinfo=UTC), datetime(2025, 1, 1, 6, tzinfo=UTC))


@pytest.mark.parametrize("block", blocks("flux"), ids=str)
def test_flux_runs_on_the_server_when_a_page_shows_it(
    client: InfluxClient, bucket_factory: Callable[..., str], block: Block
) -> None:
    flux = block.text
    for name in set(re.findall(r'bucket: "(\w+)"', flux)):
        flux = flux.replace(f'bucket: "{name}"', f'bucket: "{bucket_factory()}"')
    bound = extern_file(v=window_values(WINDOW, timedelta(hours=1)), params={"site": "berlin"})
    # an error of the query raises; _monitoring may hold statuses of other tests
    rows = client.query(flux, extern=bound)
    assert rows == [] or "monitor.from" in flux
