"""A dashboard of Grafana that reads the tiers of a lifecycle by the function that ``tiers --flux`` prints."""

from __future__ import annotations

from typing import Any

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.tier_choice import RAW_FUNCTIONS, TierFunction
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle

DATASOURCE = {"type": "influxdb", "uid": "${datasource}"}
SCHEMA = 'import "influxdata/influxdb/schema"\n\n'
CALL = (
    "tiers(\n    start: v.timeRangeStart,\n    stop: v.timeRangeStop,\n    resolution: v.windowPeriod,\n"
    '    field: "${field}",\n    aggregate: "${aggregate}",\n    measurement: "${measurement}",\n)'
)


def dashboard(lifecycle: Lifecycle, function: TierFunction) -> dict[str, Any]:
    """The dashboard, for Grafana's import: one picture, with the measurement, the field and the aggregate to choose.

    :param lifecycle: whose tiers they are
    :param function: that reads them
    """
    bucket = literals.string(lifecycle.source_bucket)
    names = [name for name in lifecycle.names if name not in lifecycle.patterns]
    measurements = {
        "name": "measurement",
        "type": "query",
        "datasource": DATASOURCE,
        "query": f"{SCHEMA}schema.measurements(bucket: {bucket})",
        "refresh": 2,
    }
    chosen = {"name": "measurement", "type": "custom", "query": ",".join(names)}
    fields = f'{SCHEMA}schema.measurementFieldKeys(bucket: {bucket}, measurement: "${{measurement}}")'
    return {
        "title": f"Tiers of {lifecycle.source_bucket}",
        "schemaVersion": 39,
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "influxdb"},
                measurements if lifecycle.patterns else chosen,
                {
                    "name": "field",
                    "type": "query",
                    "datasource": DATASOURCE,
                    "query": fields,
                    "refresh": 2,
                },
                {"name": "aggregate", "type": "custom", "query": ",".join(RAW_FUNCTIONS)},
            ]
        },
        "panels": [
            {
                "id": 1,
                "type": "timeseries",
                "title": "${aggregate} of ${field}",
                "datasource": DATASOURCE,
                "gridPos": {"x": 0, "y": 0, "w": 24, "h": 16},
                "targets": [
                    {"refId": "A", "datasource": DATASOURCE, "query": f"{function.flux()}\n\n{CALL}"}
                ],
            }
        ],
    }
