"""What OpenLineage is told of a stage: datasets with their facets. Only its provider's listener asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.openlineage.extractors import OperatorLineage
from attrs import fields_dict
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    data_quality_assertions_dataset,
    data_quality_metrics_input_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)

from airflow_provider_influx_rollup.lineage.counted import Counted, Verdict, shown_facts
from airflow_provider_influx_rollup.lineage.datasets import Flow, Folder, Measurement, dataset_name
from airflow_provider_influx_rollup.lineage.run_facet import InfluxRollupRunFacet

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lineage.schema import Column

Place = Measurement | Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts:
    """What is known of a stage that has ended.

    :param url: of the server
    :param org: name of the organisation
    :param flows: from what it made what
    :param counted: how much went through each of them; empty where that is not known
    :param verdicts: what it has found of the first input
    :param columns: of measurements that have points in the window
    :param window: ``{"start", "stop"}``
    :param results: its small JSON results
    """

    verb: str
    url: str
    org: str
    flows: Sequence[Flow]
    counted: Sequence[Counted] = ()
    verdicts: Sequence[Verdict] = ()
    columns: Mapping[Measurement, Sequence[Column]]
    window: Mapping[str, str] | None
    results: Sequence[Mapping[str, Any]]
    is_dry_run: bool = False


def lineage_of(facts: StageFacts) -> OperatorLineage[Any, Any]:
    """The lineage of a stage.

    :param facts: what is known of it
    """
    inputs: dict[Place, InputDataset] = {}
    outputs: dict[Place, OutputDataset] = {}
    for index, flow in enumerate(facts.flows):
        counted = facts.counted[index] if facts.counted else Counted()
        for number, place in enumerate(flow.inputs):
            inputs[place] = _input(facts, place, counted.rows_in if number == 0 else None)
        for number, place in enumerate(flow.outputs):
            rows = counted.rows_out[number] if number < len(counted.rows_out) else None
            outputs[place] = _output(facts, place, rows, counted.bytes_out if number == 0 else None)
    run_facet = InfluxRollupRunFacet(
        verb=facts.verb,
        window=dict(facts.window) if facts.window else None,
        results=[shown_facts(result) for result in facts.results],
        isDryRun=facts.is_dry_run,
    )
    return OperatorLineage(
        inputs=list(inputs.values()), outputs=list(outputs.values()), run_facets={"influxRollup": run_facet}
    )


def _input(facts: StageFacts, place: Place, rows: int | None) -> InputDataset:
    namespace, name = dataset_name(place, facts.url, facts.org)
    found: dict[str, Any] = {}
    if rows is not None:
        found["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=rows
        )
        found["dataQualityMetrics"] = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
            rowCount=rows, columnMetrics={}
        )
    if facts.verdicts and place == facts.flows[0].inputs[0]:
        found["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[_assertion(verdict) for verdict in facts.verdicts]
        )
    return InputDataset(namespace=namespace, name=name, facets=_schema(facts, place), inputFacets=found)


def _output(facts: StageFacts, place: Place, rows: int | None, size: int | None) -> OutputDataset:
    namespace, name = dataset_name(place, facts.url, facts.org)
    found: dict[str, Any] = {}
    if rows is not None:
        found["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=rows, size=size
        )
    return OutputDataset(namespace=namespace, name=name, facets=_schema(facts, place), outputFacets=found)


def _schema(facts: StageFacts, place: Place) -> dict[str, Any]:
    columns = facts.columns.get(place, ()) if isinstance(place, Measurement) else ()
    if not columns:
        return {}
    fields = [
        schema_dataset.SchemaDatasetFacetFields(name=column.name, type=column.kind, description=column.role)
        for column in columns
    ]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}


def _assertion(verdict: Verdict) -> Any:
    known: dict[str, Any] = {
        "assertion": verdict.kind,
        "success": verdict.holds,
        "severity": verdict.severity,
        "name": verdict.name,
        "actual": verdict.actual,
    }
    # what a library knows that is older than the fields that came later
    kind = data_quality_assertions_dataset.Assertion
    return kind(**{name: value for name, value in known.items() if name in fields_dict(kind)})
