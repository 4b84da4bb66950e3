"""What each stage says that it reads and writes. No server is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_influx_rollup.get_provider_info import get_provider_info
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lineage.datasets import Flow, Folder, Measurement
from airflow_provider_influx_rollup.lineage.stage import LineageTask
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.buckets import Bucket, EnsureBucketsOperator
from airflow_provider_influx_rollup.operators.compact import CompactArchiveOperator
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.erase import EraseSeriesOperator
from airflow_provider_influx_rollup.operators.export import ExportArchiveOperator
from airflow_provider_influx_rollup.operators.lateness import LatenessReportOperator
from airflow_provider_influx_rollup.operators.measurements import DiscoverMeasurementsOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.restore import RestoreArchiveOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.task_history import InfluxTaskHistoryOperator
from airflow_provider_influx_rollup.operators.task_run import InfluxTaskRunOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor

RAW, FILES = Measurement("raw", "m"), Folder("s3://lake/acme/raw/m")
PLACE = {"bucket": "raw", "measurement": "m", "path": "s3://aws@lake"}
DECLARED = {"source_bucket": "raw", "target_bucket": "t", "every": "1h", "aggregates": ["count"]}
SCRIPT = 'from(bucket: "raw") |> range(start: v.timeRangeStart) |> to(bucket: "t")'


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {
        "conn_type": "influx_rollup",
        "host": "http://influx:1",
        "password": "x",
        "extra": {"org": "acme"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT", json.dumps(stored))


def tier(source: str, target: str) -> dict[str, Any]:
    names = {"source_bucket": source, "measurement": "m", "target_bucket": target, "target_measurement": "m"}
    return {**names, "repaired": {"rows": 1}}


@pytest.mark.parametrize(
    ("cls", "given", "flows"),
    [
        (FluxRollupOperator, {**DECLARED, "measurement": "m"}, [Flow([RAW], [Measurement("t", "m")])]),
        (
            FluxRollupOperator,
            {**DECLARED, "measurement": ["m", "n"]},
            [
                Flow([RAW], [Measurement("t", "m")]),
                Flow([Measurement("raw", "n")], [Measurement("t", "n")]),
            ],
        ),
        (
            FluxRollupOperator,
            {"target_bucket": "t", "flux": SCRIPT},
            [Flow([Measurement("raw")], [Measurement("t")])],
        ),
        (FluxRollupOperator, {"target_bucket": "t", "flux": "no ( Flux"}, [Flow((), [Measurement("t")])]),
        (FluxQueryOperator, {"flux": SCRIPT}, [Flow([Measurement("raw")], [Measurement("t")])]),
        (FluxReconcileOperator, {"pipeline": "p"}, []),
        (FluxReconcileOperator, {**DECLARED, "measurement": "m"}, [Flow([RAW], [Measurement("t", "m")])]),
        (
            FluxValidateOperator,
            {"bucket": "raw", "measurement": "m", "rules": [{"rule": "future"}], "clean_bucket": "c"},
            [Flow([RAW], [Measurement("c", "m")])],
        ),
        (
            DeadmanCheckOperator,
            {"bucket": "raw", "measurement": "m"},
            [Flow([RAW], [Measurement("_monitoring", "statuses")])],
        ),
        (WindowCompleteSensor, {"bucket": "raw", "measurement": "m"}, [Flow([RAW])]),
        (ArchiveWindowOperator, PLACE, [Flow([RAW], [FILES])]),
        (PurgeWindowOperator, {**PLACE, "require_pipelines": []}, [Flow([FILES], [RAW])]),
        (EraseSeriesOperator, {**PLACE, "tags": {"customer": "42"}}, [Flow((), [RAW, FILES])]),
        (CompactArchiveOperator, {**PLACE, "into": "1d"}, [Flow([FILES], [FILES])]),
        (
            ExportArchiveOperator,
            {**PLACE, "table": "s3://lake/table"},
            [Flow([FILES], [Folder("s3://lake/table")])],
        ),
        (
            RestoreArchiveOperator,
            {"path": "s3://lake", "measurement": "m", "source_bucket": "raw", "target_bucket": "back"},
            [Flow([FILES], [Measurement("back", "m")])],
        ),
        (
            RestoreArchiveOperator,
            {"path": "s3://lake", "measurement": "m", "source_bucket": "raw", "source_org": "old"},
            [Flow([Folder("s3://lake/old/raw/m")], [RAW])],
        ),
        (LatenessReportOperator, {"ledger_bucket": "l"}, [Flow([Measurement("l", "lateness")])]),
        (EnsureBucketsOperator, {"buckets": [Bucket("raw")]}, [Flow((), [Measurement("raw")])]),
        (DiscoverMeasurementsOperator, {"bucket": "raw"}, [Flow([Measurement("raw")])]),
        (InfluxTaskRunOperator, {"name": "n"}, []),
        (InfluxTaskHistoryOperator, {"name": "n"}, []),
        (
            FluxReconcileOperator,
            {"lifecycle": Lifecycle("raw", "m", [Tier("t", "1h", ["count"]), Tier("d", "1d")])},
            [Flow([RAW, Measurement("t", "m")], [Measurement("t", "m"), Measurement("d", "m")])],
        ),
    ],
)
def test_flow_is_what_the_parameters_name(cls: type[Any], given: dict[str, Any], flows: list[Flow]) -> None:
    assert [plain(flow) for flow in cls(task_id="t", **given).flows([])] == [plain(flow) for flow in flows]


def plain(flow: Flow) -> tuple[list[Any], list[Any]]:
    return list(flow.inputs), list(flow.outputs)


def test_reconcile_names_all_tiers_when_it_has_looked_at_them() -> None:
    result = {**tier("raw", "t1"), "cascaded": [tier("t1", "t2")]}
    (flow,) = FluxReconcileOperator(task_id="t", pipeline="p").flows([result])
    assert plain(flow) == ([RAW, Measurement("t1", "m")], [Measurement("t1", "m"), Measurement("t2", "m")])


def test_every_task_of_the_provider_can_be_asked_for_its_lineage() -> None:
    info = get_provider_info()
    modules = [
        name for kind in ("operators", "sensors") for one in info[kind] for name in one["python-modules"]
    ]
    found = {}
    for name in modules:
        module = __import__(name, fromlist=["*"])
        own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name]
        found |= {one.__name__: one for one in own if one.__name__.endswith(("Operator", "Sensor"))}
    assert len(found) > 15
    assert [name for name, cls in found.items() if not issubclass(cls, LineageTask)] == []
