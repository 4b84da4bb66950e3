"""The run facet of a stage. Only the OpenLineage provider's listener asks for it, so that its library is there."""

from __future__ import annotations

from typing import Any

from attrs import define
from openlineage.client.facet_v2 import RunFacet

#: its schema is in the guide of lineage
SCHEMA = "urn:airflow-provider-influx-rollup:openlineage:1:InfluxRollupRunFacet"


@define(kw_only=True)
class InfluxRollupRunFacet(RunFacet):  # type: ignore[misc, unused-ignore]  # where it is not installed
    """Which windows a stage was about, and what became of them.

    :param verb: name of the stage in metrics
    :param window: ``{"start", "stop"}`` of the run, half-open, RFC 3339; None when it names none
    :param results: of each measurement: pipeline, windows, generation, checksum, state and numbers
    :param isDryRun: whether nothing was written
    """

    verb: str
    window: dict[str, str] | None
    results: list[dict[str, Any]]
    isDryRun: bool  # noqa: N815 - as facets spell their fields

    @staticmethod
    def _get_schema() -> str:
        return SCHEMA
