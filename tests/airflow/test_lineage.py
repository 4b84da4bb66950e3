"""What OpenLineage's own listener sends of our stages, run by Airflow, and whether it is as its specification says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from airflow_provider_influx_rollup.airflow_compat import TaskDeferred
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from dev.airflow_backfill import make_ready
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import ProcessFailed
from tests.scenes.task_scene import fire, make_context, reborn

pytest.importorskip("airflow.providers.openlineage")
pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.timeout(300)]

START = datetime(2025, 3, 8, 4, tzinfo=UTC)
STOP = START + timedelta(hours=1)
WINDOW = {"start": "2025-03-08T04:00:00Z", "stop": "2025-03-08T05:00:00Z"}

TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
#: what the specification says of events, datasets and facets, in JSON schema
FACET = {
    "type": "object",
    "required": ["_producer", "_schemaURL"],
    "properties": {"_producer": TEXT, "_schemaURL": TEXT},
}
SCHEMA = {
    "type": "object",
    "required": ["fields"],
    "properties": {
        "fields": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "type"],
                "properties": {"name": TEXT, "type": TEXT},
            },
        }
    },
}
ASSERTIONS = {
    "type": "object",
    "required": ["assertions"],
    "properties": {
        "assertions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["assertion", "success"],
                "properties": {"assertion": TEXT, "success": {"type": "boolean"}},
            },
        }
    },
}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {
        "namespace": TEXT,
        "name": TEXT,
        "facets": {"additionalProperties": FACET, "properties": {"schema": SCHEMA}},
        "inputFacets": {
            "additionalProperties": FACET,
            "properties": {
                "inputStatistics": {"properties": {"rowCount": COUNT}},
                "dataQualityMetrics": {"required": ["columnMetrics"], "properties": {"rowCount": COUNT}},
                "dataQualityAssertions": ASSERTIONS,
            },
        },
        "outputFacets": {
            "additionalProperties": FACET,
            "properties": {"outputStatistics": {"properties": {"rowCount": COUNT, "size": COUNT}}},
        },
    },
}
EVENT = {
    "type": "object",
    "required": ["eventType", "eventTime", "run", "job", "producer", "schemaURL"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {
                "runId": {"type": "string", "format": "uuid"},
                "facets": {"additionalProperties": FACET},
            },
        },
        "job": {
            "type": "object",
            "required": ["namespace", "name"],
            "properties": {"namespace": TEXT, "name": TEXT},
        },
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": DATASET},
    },
}


class Told:
    """The event of a task that has ended."""

    def __init__(self, event: dict[str, Any]) -> None:
        self.kind = event["eventType"]
        self.inputs = {dataset["name"]: dataset for dataset in event["inputs"]}
        self.outputs = {dataset["name"]: dataset for dataset in event["outputs"]}
        self.ours = event["run"]["facets"]["influxRollup"]

    def rows(self, name: str) -> tuple[Any, Any]:
        facet = self.outputs[name]["outputFacets"]["outputStatistics"]
        return facet["rowCount"], facet.get("size")

    def columns(self, name: str) -> dict[str, str]:
        fields = {**self.inputs, **self.outputs}[name]["facets"]["schema"]["fields"]
        return {field["name"]: field["type"] for field in fields}


@pytest.fixture(scope="module")
def place(new_organisation: Callable[[], InfluxAddress]) -> InfluxAddress:
    made = new_organisation()
    made.fresh_buckets("raw", "rolled", "quarantine", "states")
    times = [int((START + timedelta(minutes=10 * index)).timestamp()) for index in range(6)]
    lines = [f"m,d=a temp={20 + index},n={index}i {time}000000000" for index, time in enumerate(times)]
    for _ in made.write("raw", [*lines, f"m,d=b temp=99 {times[0] + 60}000000000"]):
        pass
    return made


@pytest.fixture(scope="module")
def sent(
    real_airflow: AirflowProcess, place: InfluxAddress, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The lines of the file that the provider's file transport wrote while Airflow ran the DAG."""
    folder = tmp_path_factory.mktemp("lineage")
    transport = {"type": "file", "log_file_path": str(folder / "events"), "append": True}
    environment = {
        "AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection(),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__DISABLED": "False",
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "60",
        "LINEAGE_ARCHIVE": str(folder / "archive"),
    }
    make_ready(real_airflow, "lineage")
    # a second run would send its events too: it must not clash with what makes the other DAGs known
    with (
        real_airflow.alone_with_database(),
        pytest.raises(ProcessFailed, match="no target bucket 'nowhere'"),
    ):
        run_dag(real_airflow, "lineage", STOP.isoformat(), environment=environment, retries=0)
    return (folder / "events").read_text().splitlines()


@pytest.fixture(scope="module")
def ended(sent: list[str]) -> dict[str, Told]:
    events = [json.loads(line) for line in sent]
    of_tasks = [event for event in events if event["job"]["name"].startswith("lineage.")]
    return {
        event["job"]["name"].removeprefix("lineage."): Told(event)
        for event in of_tasks
        if event["eventType"] in ("COMPLETE", "FAIL")
    }


def test_events_are_as_the_specification_says(sent: list[str]) -> None:
    checker = jsonschema.Draft202012Validator(EVENT, format_checker=jsonschema.FormatChecker())
    for line in sent:
        checker.validate(json.loads(line))


def test_facets_are_taken_by_the_library_that_defines_them(sent: list[str]) -> None:
    from openlineage.client.facet_v2 import (
        data_quality_assertions_dataset,
        data_quality_metrics_input_dataset,
        input_statistics_input_dataset,
        output_statistics_output_dataset,
        schema_dataset,
    )

    classes = {
        "schema": schema_dataset.SchemaDatasetFacet,
        "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet,
        "dataQualityMetrics": data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet,
        "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet,
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    }
    seen = set()
    for line in sent:
        event = json.loads(line)
        for dataset in (*event["inputs"], *event["outputs"]):
            for kind in ("facets", "inputFacets", "outputFacets"):
                for name, facet in dataset.get(kind, {}).items():
                    made = classes[name](**{key: value for key, value in facet.items() if key[0] != "_"})
                    assert facet["_schemaURL"] == made._get_schema()
                    seen.add(name)
    assert seen == set(classes)


def test_no_event_has_the_token(sent: list[str], place: InfluxAddress) -> None:
    assert not [line for line in sent if place.token in line]


def test_names_are_those_of_the_server(sent: list[str], ended: dict[str, Told], place: InfluxAddress) -> None:
    host = place.url.removeprefix("http://")
    (dataset,) = ended["rollup"].inputs.values()
    assert (dataset["namespace"], dataset["name"]) == (f"influxdb://{host}", f"{place.org}/raw/m")


def test_validation_tells_its_verdicts(ended: dict[str, Told], place: InfluxAddress) -> None:
    facets = ended["validate"].inputs[f"{place.org}/raw/m"]["inputFacets"]
    verdicts = {one["assertion"]: one["success"] for one in facets["dataQualityAssertions"]["assertions"]}
    assert verdicts == {"range": False, "finite": True}
    # 6 of temp and n of a, 1 of temp of b
    assert facets["dataQualityMetrics"]["rowCount"] == 13
    assert ended["validate"].rows(f"{place.org}/quarantine/m") == (1, None)


def test_rollup_tells_rows_columns_and_generation(ended: dict[str, Told], place: InfluxAddress) -> None:
    told = ended["rollup"]
    assert told.inputs[f"{place.org}/raw/m"]["inputFacets"]["inputStatistics"]["rowCount"] == 13
    assert told.columns(f"{place.org}/raw/m") == {
        "_time": "time",
        "d": "string",
        "n": "integer",
        "temp": "float",
    }
    # six windows of a with 4 values, one of b with 2
    assert told.rows(f"{place.org}/rolled/m") == (26, None)
    assert told.columns(f"{place.org}/rolled/m") == {
        "_time": "time",
        "d": "string",
        "n_count": "integer",
        "n_max": "integer",
        "temp_count": "integer",
        "temp_max": "float",
    }
    (result,) = told.ours["results"]
    assert told.ours["verb"] == "rollup"
    assert told.ours["window"] == WINDOW
    assert (result["pipeline"], result["windows"], result["generation"], result["state"]) == (
        "rolled",
        6,
        1,
        "COMMITTED",
    )


def test_other_stages_tell_what_they_did(ended: dict[str, Told], place: InfluxAddress) -> None:
    assert ended["reconcile"].rows(f"{place.org}/rolled/m") == (0, None)
    ((name, files),) = ended["archive"].outputs.items()
    assert (files["namespace"], name.endswith(f"/archive/{place.org}/raw/m")) == ("file", True)
    rows, size = ended["archive"].rows(name)
    on_disk = sum(path.stat().st_size for path in Path(name).rglob("*.parquet"))
    assert (rows, size) == (13, on_disk)
    assert ended["deadman"].rows(f"{place.org}/states/statuses") == (2, None)
    (alive,) = ended["deadman"].inputs[f"{place.org}/raw/m"]["inputFacets"]["dataQualityAssertions"][
        "assertions"
    ]
    assert (alive["assertion"], alive["success"]) == ("freshness", True)
    assert list(ended["ask"].inputs) == [f"{place.org}/raw"]


def test_failed_stage_tells_its_window_and_what_it_was_to_write(
    ended: dict[str, Told], place: InfluxAddress
) -> None:
    told = ended["lost"]
    assert (told.kind, told.ours["window"], told.ours["results"]) == ("FAIL", WINDOW, [])
    assert "outputStatistics" not in told.outputs[f"{place.org}/nowhere/m"]["outputFacets"]


@pytest.mark.usefixtures("connections")
@pytest.mark.parametrize("way", ["worker", "triggerer", "dry run"])
def test_rollup_tells_the_same_wherever_it_runs(
    client: InfluxClient, bucket_factory: Callable[[], str], way: str
) -> None:
    source, target, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    client.write_lines(source, [f"m,d=a temp=1 {int(START.timestamp())}000000000"])
    operator = FluxRollupOperator(
        task_id="rollup",
        influx_conn_id="tele",
        source_bucket=source,
        target_bucket=target,
        ledger_bucket=ledger,
        measurement="m",
        every="1h",
        aggregates=["count"],
        start=START,
        stop=STOP,
        deferrable=way == "triggerer",
        dry_run=way == "dry run",
    )
    context = make_context()
    if way == "triggerer":
        with pytest.raises(TaskDeferred) as caught:
            operator.execute(context)
        operator.execute_complete(context, fire(reborn(caught.value.trigger)))
    else:
        operator.execute(context)
    lineage = operator.get_openlineage_facets_on_complete(SimpleNamespace(get_template_context=dict))
    assert [dataset.name.split("/")[1:] for dataset in lineage.inputs] == [[source, "m"]]
    facet = lineage.run_facets["influxRollup"]
    assert facet.window == WINDOW
    if way == "dry run":
        assert (lineage.outputs, facet.isDryRun) == ([], True)
        return
    (output,) = lineage.outputs
    assert output.name.split("/")[1:] == [target, "m"]
    assert output.outputFacets["outputStatistics"].rowCount == 1
    assert facet.results[0]["generation"] == 1
