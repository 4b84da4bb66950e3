"""Tiers whose declaration has changed: an aggregate has left the lowest one, and the ledger has old specs of those above."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile import reconcile_pipeline
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileOptions, ReconcileSpec
from tests.conftest import InfluxServer
from tests.oracle import rollup, windows
from tests.scenes.rollup_runs import RUN, TAGS, Place, interval, make_place, make_points, now, roll

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-10")
STARTS = ("2025-03-08", "2025-03-10")
OLD, NEW = ("count", "sum", "max"), ("count", "sum")


@dataclass
class Changed:
    """Hours, days over hours, pairs of days over days, and days of counts alone; before and after the change."""

    place: Place
    old: dict[str, RollupSpec]
    new: dict[str, RollupSpec]
    points: pd.DataFrame

    def differences(self, name: str, every: str, aggregates: tuple[str, ...]) -> list[str]:
        """What is wrong in a tier."""
        expected = rollup(self.points, TAGS, windows(*STARTS, every), {"temp": aggregates})
        return self.place.differences(expected, name)


@pytest.fixture
def changed(influx: InfluxServer, client: InfluxClient) -> Changed:
    place = make_place(influx, client)
    points = make_points(*STARTS, 1200)
    place.write(points, ("temp",))

    def tier(name: str, below: str | None, every: str, aggregates: tuple[str, ...]) -> RollupSpec:
        spec = place.spec(every, {"temp": aggregates}, target_measurement=name, pipeline=name)
        if below is None:
            return spec
        grid = GridSpec(every, "1d" if every == "2d" else "0s")
        return replace(spec, source_bucket=place.target, measurement=below, source_tier=below, grid=grid)

    def all_of(names: tuple[str, ...]) -> dict[str, RollupSpec]:
        return {
            "hours": tier("hours", None, "1h", names),
            "days": tier("days", "hours", "1d", names),
            "pairs": tier("pairs", "days", "2d", names),
            "counts": tier("counts", "hours", "1d", ("count",)),
        }

    old = all_of(OLD)
    for spec in old.values():
        roll(client, spec, SPAN)
    return Changed(place, old, all_of(NEW), points)


def asked(client: InfluxClient, spec: RollupSpec, *above: RollupSpec, mode: str = "repair") -> dict[str, Any]:
    """What a reconcile of a declared lifecycle says."""
    options = ReconcileOptions(mode)
    request = ReconcileSpec(rollup=spec, above=above, ledger_bucket=spec.ledger_bucket, options=options)
    request = ReconcileSpec.from_json(request.as_json())
    return drive(reconcile_pipeline(request, SPAN, RUN, now), client, lambda _report: None).as_json()


def by_name(result: dict[str, Any], key: str) -> dict[str, Any]:
    """A value of each pipeline's result."""
    return {one["pipeline"]: one[key] for one in (result, *result["cascaded"])}


@pytest.mark.recorded
def test_tier_that_needs_what_is_gone_waits_and_all_else_is_done(
    changed: Changed, client: InfluxClient
) -> None:
    plan = asked(client, changed.new["hours"], mode="plan")
    assert by_name(plan, "dirty_total")["hours"] == 48
    result = asked(client, changed.new["hours"])
    assert result["repaired"]["windows"] == 48
    assert changed.differences("hours", "1h", NEW) == []
    assert changed.differences("counts", "1D", ("count",)) == []
    waiting = by_name(result, "waiting")
    assert [left["window"]["start"][:10] for left in waiting.pop("days")] == ["2025-03-08", "2025-03-09"]
    assert not any(waiting.values())
    why = next(one for one in result["cascaded"] if one["pipeline"] == "days")["waiting"][0]["why"]
    assert "max of field 'temp' needs max of pipeline 'hours'" in why
    assert "run pipeline 'days' as it is declared now" in why
    assert not result["is_clean"]

    # what the reason names is done for one window; the next reconcile does the rest
    roll(client, changed.new["days"], interval("2025-03-09", "2025-03-10"))
    result = asked(client, changed.new["hours"])
    assert by_name(result, "repaired")["days"]["windows"] == 1
    assert changed.differences("days", "1D", NEW) == []
    assert by_name(result, "waiting_total") == {"hours": 0, "days": 0, "counts": 0, "pairs": 1}


@pytest.mark.recorded
def test_tiers_above_are_redone_as_they_are_declared_when_the_declaration_is_known(
    changed: Changed, client: InfluxClient
) -> None:
    above = [changed.new[name] for name in ("days", "pairs")]
    plan = asked(client, changed.new["hours"], *above, mode="plan")
    assert by_name(plan, "dirty_total") == {"hours": 48, "days": 2, "counts": 2, "pairs": 1}
    result = asked(client, changed.new["hours"], *above)
    assert result["is_clean"]
    repaired = {name: one["windows"] for name, one in by_name(result, "repaired").items()}
    assert repaired == {"hours": 48, "days": 2, "counts": 2, "pairs": 1}
    for name, every, aggregates in (
        ("hours", "1h", NEW),
        ("days", "1D", NEW),
        ("pairs", "2D", NEW),
        ("counts", "1D", ("count",)),
    ):
        assert changed.differences(name, every, aggregates) == []
    assert not any(by_name(asked(client, changed.new["hours"], *above), "dirty_total").values())
