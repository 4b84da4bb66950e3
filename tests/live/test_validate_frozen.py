"""A validation leaves its copies alone where their source lacks points: retention has taken them, or a purge."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.ledger.purges import LIFTED, PURGED, PurgeMark, encode_mark
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.validation_runs import run, stored

pytestmark = pytest.mark.live

WEEK = 7 * 86_400
HOUR = timedelta(hours=1)


class Copies:
    """An hour with a point that is right and one that is not, validated once."""

    def __init__(self, client: InfluxClient, influx: InfluxServer, new: Callable[[], str]) -> None:
        self.client, self.influx = client, influx
        self.source, self.clean, self.bad, self.ledger = f"raw_{uuid.uuid4().hex[:12]}", new(), new(), new()
        client.ensure_bucket(self.source, retention_seconds=WEEK)
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 2 * HOUR
        self.interval = Interval(start, start + HOUR)
        self.lines = [f"m,d=a t={value} {self.interval.start_ns + value}" for value in (1, 99)]
        client.write_lines(self.source, self.lines)
        self.validate()
        assert self.rows() == (1, 1)

    def validate(self, later: timedelta = timedelta(), **more: Any) -> dict[str, Any]:
        spec = ValidateSpec(
            bucket=self.source,
            measurement="m",
            rules=rules_of([{"rule": "range", "field": "t", "high": 50}]),
            ledger_bucket=self.ledger,
            **{"clean_bucket": self.clean, "quarantine_bucket": self.bad, **more},
        )
        return run(self.client, spec, self.interval, datetime.now(UTC) + later)

    def rows(self) -> tuple[int, int]:
        """Clean points, and those of the quarantine."""
        return len(stored(self.influx, self.clean, "m")), len(stored(self.influx, self.bad, "m"))

    def lose(self) -> None:
        """Delete the points, as retention and purges do."""
        self.client.delete(self.source, self.interval, '_measurement="m"')


@pytest.fixture
def copies(client: InfluxClient, influx: InfluxServer, bucket_factory: Callable[[], str]) -> Copies:
    return Copies(client, influx, bucket_factory)


def test_copies_stay_when_retention_has_taken_the_points(copies: Copies) -> None:
    copies.lose()
    long_after = timedelta(days=30)
    with pytest.raises(WindowFrozen, match="may be gone") as caught:
        copies.validate(long_after)
    assert caught.value.window == copies.interval
    assert copies.rows() == (1, 1)
    # what copies nothing may judge what is left
    alone: dict[str, Any] = {"clean_bucket": None, "quarantine_bucket": None}
    assert copies.validate(long_after, **alone)["points"] == 0
    assert copies.validate(long_after, dry_run=True)["points"] == 0
    # points that their bucket still promises to keep were deleted by somebody
    copies.validate()
    assert copies.rows() == (0, 0)


@pytest.mark.parametrize("of", ["clean", "bad"])
def test_purged_copies_do_not_come_back_until_their_mark_is_lifted(copies: Copies, of: str) -> None:
    purged = {"clean": copies.clean, "bad": copies.bad}[of]
    # the clean points have a name of their own: their marks are no marks of the source's measurement
    named: dict[str, Any] = {"clean_measurement": "n" if of == "clean" else None}
    written = named["clean_measurement"] or "m"
    copies.validate(**named)
    start = copies.interval.start
    mark = PurgeMark(
        bucket=purged,
        measurement=written,
        window=Interval(start + HOUR / 2, start + 3 * HOUR / 2),
        state=PURGED,
        generation=1,
        compared_at=copies.interval.stop,
    )
    copies.client.write_lines(copies.ledger, [encode_mark(mark)])
    copies.client.delete(purged, copies.interval, f'_measurement="{written}"')
    with pytest.raises(WindowFrozen, match=f"of {purged}/{written} .* were purged") as caught:
        copies.validate(**named)
    assert caught.value.window == copies.interval
    assert len(stored(copies.influx, purged, written)) == 0
    assert copies.validate(dry_run=True, **named)["points"] == 2
    # only what is written matters
    copies.validate(**named | {"clean_bucket": None, "clean_measurement": None, "quarantine_bucket": None})
    copies.client.write_lines(copies.ledger, [encode_mark(replace(mark, state=LIFTED))])
    copies.validate(**named)
    assert len(stored(copies.influx, purged, written)) == 1


def test_copies_stay_when_the_points_were_purged_until_they_are_back(copies: Copies) -> None:
    mark = PurgeMark(
        bucket=copies.source,
        measurement="m",
        window=Interval(copies.interval.start, copies.interval.start + HOUR / 2),
        state=PURGED,
        generation=1,
        compared_at=copies.interval.stop,
    )
    copies.client.write_lines(copies.ledger, [encode_mark(mark)])
    copies.lose()
    with pytest.raises(WindowFrozen, match="were purged"):
        copies.validate()
    assert copies.rows() == (1, 1)
    copies.client.write_lines(copies.source, copies.lines[:1])
    copies.client.write_lines(copies.ledger, [encode_mark(replace(mark, state=LIFTED))])
    copies.validate()
    assert copies.rows() == (1, 0)
