"""Short ways to reconcile, and to see what was written meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile import reconcile_pipeline
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileOptions, ReconcileSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from tests.scenes.rollup_runs import RUN, now

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass
class Requests:
    """What was written, deleted and read.

    :param lines: by bucket
    :param answers: queries with the rows that they brought into the worker
    """

    lines: dict[str, list[str]] = field(default_factory=dict)
    deletes: int = 0
    answers: list[tuple[str, int]] = field(default_factory=list)

    def rows_read_from(self, bucket: str) -> int:
        """Rows that came into the worker from a bucket."""
        return sum(rows for flux, rows in self.answers if f'from(bucket: "{bucket}")' in flux)

    def of(self, bucket: str) -> list[str]:
        """The lines written to a bucket."""
        return self.lines.get(bucket, [])

    def receipts(self, bucket: str) -> list[str]:
        """The receipts written to a ledger."""
        return [line for line in self.of(bucket) if line.startswith("window_receipt,")]


@contextmanager
def watched(client: InfluxClient) -> Iterator[Requests]:
    """Take note of all writes of a client."""
    seen = Requests()
    write, delete, query = client.write_lines, client.delete, client.query_arrow

    def write_lines(bucket: str, lines: Any) -> None:
        some = list(lines)
        seen.lines.setdefault(bucket, []).extend(some)
        write(bucket, some)

    def delete_points(*args: Any) -> None:
        seen.deletes += 1
        delete(*args)

    def query_arrow(flux: str, **options: Any) -> Any:
        tables = query(flux, **options)
        seen.answers.append((flux, sum(table.num_rows for table in tables)))
        return tables

    client.write_lines, client.delete = write_lines, delete_points  # type: ignore[method-assign]
    client.query_arrow = query_arrow  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        del client.write_lines, client.delete, client.query_arrow  # type: ignore[method-assign]


def sweep(client: InfluxClient, spec: RollupSpec, span: Interval, **options: Any) -> dict[str, Any]:
    """Reconcile one pipeline."""
    return drive(reconcile(spec, span, RUN, now, **options), client, lambda _report: None).as_json()


def sweep_tiers(
    client: InfluxClient,
    spec: RollupSpec,
    span: Interval | None,
    report: Callable[[str], object] = lambda _text: None,
    **more: Any,
) -> dict[str, Any]:
    """Reconcile a pipeline of the ledger and the tiers above it, as the operator does."""
    options = ReconcileOptions(
        **{name: more.pop(name) for name in ("mode", "strict", "max_windows") if name in more}
    )
    asked = ReconcileSpec(
        pipeline=spec.pipeline_name, ledger_bucket=spec.ledger_bucket, options=options, **more
    )
    steps = reconcile_pipeline(asked, span, RUN, now)
    return drive(steps, client, lambda told: report(told.message)).as_json()


def reasons_of(result: dict[str, Any]) -> dict[str, list[str]]:
    """The reasons of each dirty window, by the hour it starts in."""
    return {change["window"]["start"][11:16]: change["reasons"] for change in result["dirty"]}
