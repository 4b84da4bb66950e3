"""Metadata of this package for Airflow. Strings only: every Airflow process imports it."""

from __future__ import annotations

from typing import Any

from airflow_provider_influx_rollup import __version__

PACKAGE = "airflow_provider_influx_rollup"


def _field(kind: str, label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


#: fields of the connection form that are stored in the extras
CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "org": _field("string", "Organization", "Name of the organization."),
    "verify_ssl": _field("boolean", "Verify TLS certificate", "Off only for tests.", default=True),
    "ssl_ca_cert": _field("string", "CA certificate file", "Path of a PEM file on every worker."),
    "proxy": _field("string", "Proxy", "URL of an HTTP proxy."),
    "connect_timeout_seconds": _field(
        "number", "Connect timeout (s)", "How long opening a connection may take."
    ),
    "read_timeout_seconds": _field(
        "number", "Read timeout (s)", "How long the server may stay silent during a request."
    ),
    "gzip": _field(
        "boolean", "Gzip", "Compress answers and writes; off is faster on a fast network.", default=True
    ),
    "pool_size": _field("integer", "Pool size", "Connections that one process keeps open."),
    "deadline_seconds": _field(
        "number", "Retry deadline (s)", "How long one request is tried again inside a task."
    ),
    "max_query_seconds": _field(
        "number", "Query limit (s)", "How long one query may run before it is cancelled; 0: any time."
    ),
    "max_query_rows": _field(
        "integer", "Query limit (rows)", "Most rows that a query of a DAG may return; 0: any number."
    ),
    "dashboard": _field(
        "string", "Dashboard", "Id of a dashboard in InfluxDB that the links of tasks open, with their time."
    ),
}

_URIS: dict[str, Any] = {
    "schemes": ["influxdb"],
    "handler": f"{PACKAGE}.assets.uri.sanitize_uri",
    "factory": f"{PACKAGE}.assets.uri.create_asset",
    "to_openlineage_converter": f"{PACKAGE}.assets.uri.convert_asset_to_openlineage",
}
#: Airflow 2.11 calls them datasets
ASSETS = {"asset-uris": [_URIS], "dataset-uris": [_URIS]}

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["login", "extra"],
    "relabeling": {"password": "Token", "schema": "Scheme (http or https)", "host": "Host or URL"},
    "placeholders": {"host": "localhost", "port": "8086", "schema": "http"},
}


def _option(
    kind: str, default: str | None, description: str, *, example: str | None = None, since: str = "0.1.0"
) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": since,
        "type": kind,
        "example": example,
        "default": default,
    }


OPERATORS = (
    "rollup",
    "reconcile",
    "validate",
    "deadman",
    "query",
    "query_batch",
    "branch",
    "lint",
    "lateness",
    "archive",
    "archive_expiring",
    "purge",
    "restore",
    "compact",
    "export",
    "erase",
    "buckets",
    "measurements",
    "task_deploy",
    "task_run",
    "task_history",
)
_CONFIG: dict[str, Any] = {
    "influx_rollup": {
        "description": "Defaults of the InfluxDB rollup provider; a connection's extras win over them.",
        "options": {
            "ledger_bucket": _option("string", "rollup_ledger", "The bucket that keeps the receipts."),
            "connect_timeout_seconds": _option(
                "float", "5.0", "Seconds that opening a connection to InfluxDB may take."
            ),
            "read_timeout_seconds": _option(
                "float", "300.0", "Seconds that InfluxDB may stay silent during one request."
            ),
            "pool_size": _option("integer", "8", "Connections that one process keeps open to one InfluxDB."),
            "deadline_seconds": _option(
                "float",
                "60.0",
                "Seconds during which one request is tried again inside a task. After that, Airflow's retries follow.",
            ),
            "max_rows_per_read": _option(
                "integer", "5000000", "The most rows that one read brings into a worker."
            ),
            "max_query_seconds": _option(
                "float",
                "0.0",
                "Seconds that one query may run before it is cancelled; 0: any time.",
                since="0.2.0",
            ),
            "max_query_rows": _option(
                "integer",
                "1000000",
                "The most rows that a query of a DAG may return; 0: any number.",
                since="0.2.0",
            ),
            "profile_queries": _option(
                "boolean",
                "False",
                "Whether Flux's profiler tells how much memory each query took: the metric query_memory_bytes.",
                since="0.3.0",
            ),
            "default_deferrable": _option(
                "boolean",
                None,
                "Whether operators and sensors of this provider defer to the triggerer. "
                "Where it is not set, [operators] default_deferrable counts.",
                example="True",
            ),
            "environment": _option(
                "string",
                None,
                "Which of a task's environments its templates take, where the task does not say it.",
                example="prod",
                since="0.3.0",
            ),
            "page_connections": _option(
                "string",
                None,
                "Connections that the windows page offers to users who may read them, separated by commas. Where it is not "
                "set: all connections of the types influx_rollup and influxdb in Airflow's database.",
                example="influx_rollup_default,influx_eu",
                since="0.3.0",
            ),
            "bare_flux_values": _option(
                "string",
                "refuse",
                "What {{ x }} without a filter does in Flux: refuse, or words (a single name, number, duration or time "
                "is pasted, as before there were filters; anything else is refused).",
                since="0.3.0",
            ),
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata for Airflow 2.11 and 3.x."""
    return {
        "package-name": "airflow-provider-influx-rollup",
        "name": "InfluxDB rollup",
        "description": "Telemetry lifecycles on InfluxDB 2: rollups that can be run again at any time.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": "InfluxDB 2",
                "external-doc-url": "https://docs.influxdata.com/influxdb/v2/",
                "tags": ["software"],
            }
        ],
        "hooks": [{"integration-name": "InfluxDB 2", "python-modules": [f"{PACKAGE}.hooks.influx"]}],
        "operators": [
            {
                "integration-name": "InfluxDB 2",
                "python-modules": [f"{PACKAGE}.operators.{name}" for name in OPERATORS],
            }
        ],
        "sensors": [
            {
                "integration-name": "InfluxDB 2",
                "python-modules": [f"{PACKAGE}.sensors.window", f"{PACKAGE}.sensors.task_run"],
            }
        ],
        "triggers": [
            {
                "integration-name": "InfluxDB 2",
                "python-modules": [f"{PACKAGE}.triggers.lifecycle_job", f"{PACKAGE}.triggers.window_ready"],
            }
        ],
        **ASSETS,
        "connection-types": [
            {
                "connection-type": "influx_rollup",
                "hook-class-name": f"{PACKAGE}.hooks.influx.InfluxRollupHook",
                "hook-name": "InfluxDB 2 (rollup)",
                "conn-fields": CONNECTION_FIELDS,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
            }
        ],
        "extra-links": [
            f"{PACKAGE}.links.influx.InfluxDataLink",
            f"{PACKAGE}.links.influx.InfluxReceiptsLink",
            f"{PACKAGE}.links.windows.InfluxWindowsLink",
        ],
        "notifications": [
            f"{PACKAGE}.notifications.window_failure.WindowFailureNotifier",
            f"{PACKAGE}.notifications.influx_status.InfluxStatusNotifier",
            f"{PACKAGE}.notifications.watermark.WatermarkNotifier",
        ],
        "task-decorators": [
            {"name": name, "class-name": f"{PACKAGE}.decorators.flux.{name}_task"}
            for name in ("flux", "flux_branch", "flux_short_circuit")
        ],
        "cli": [f"{PACKAGE}.airflow_cli.get_airflow_cli_commands"],
        "config": _CONFIG,
    }
