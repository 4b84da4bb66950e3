"""Names of datasets, as OpenLineage's naming of other stores has them: where a server is, and what it calls a thing."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lineage.counted import shown_facts
from airflow_provider_influx_rollup.lineage.datasets import (
    Folder,
    Measurement,
    archive_folder,
    dataset_name,
    server_namespace,
)

URL = "http://influx.example:8086"


@pytest.mark.parametrize(
    ("url", "namespace"),
    [
        (URL, "influxdb://influx.example:8086"),
        (
            "https://eu-central-1-1.aws.cloud2.influxdata.com",
            "influxdb://eu-central-1-1.aws.cloud2.influxdata.com:443",
        ),
        ("http://influx.example", "influxdb://influx.example:80"),
        ("http://[::1]:8086", "influxdb://[::1]:8086"),
        ("http://somebody:secret@influx.example:8086", "influxdb://influx.example:8086"),
    ],
)
def test_namespace_is_host_and_port_when_a_url_has_more_or_less(url: str, namespace: str) -> None:
    assert server_namespace(url) == namespace


@pytest.mark.parametrize(
    ("place", "named"),
    [
        (Measurement("raw", "m"), ("influxdb://influx.example:8086", "acme/raw/m")),
        (Measurement("raw"), ("influxdb://influx.example:8086", "acme/raw")),
        (Measurement("a b", "é/ü"), ("influxdb://influx.example:8086", "acme/a b/é/ü")),
        (Folder("/data/archive/x"), ("file", "/data/archive/x")),
        (Folder("file:///data/archive/x"), ("file", "/data/archive/x")),
        (Folder("s3://lake/telemetry/x"), ("s3://lake", "telemetry/x")),
    ],
)
def test_dataset_is_named_by_where_it_is(place: Measurement | Folder, named: tuple[str, str]) -> None:
    assert dataset_name(place, URL, "acme") == named


def test_archive_is_named_without_the_connection_when_its_url_has_one() -> None:
    assert archive_folder("s3://aws_default@lake/telemetry/", "acme", "raw", "a b") == Folder(
        "s3://lake/telemetry/acme/raw/a%20b"
    )


def test_archive_has_no_name_when_its_url_holds_a_password() -> None:
    with pytest.raises(ConfigurationError, match="holds a key or password") as caught:
        archive_folder("s3://key:hidden@lake/telemetry", "acme", "raw", "m")
    assert "hidden" not in str(caught.value)


def test_facts_have_no_values_of_points_or_tags_when_a_result_has_them() -> None:
    result = {
        "pipeline": "p",
        "window": {"start": "a", "stop": "b"},
        "rows_in": 3,
        "generation": 2,
        "notes": ["device=secret"],
        "rules": [{"examples": [{"tags": {"customer": "42"}}]}],
        "cascaded": [{"pipeline": "q", "dirty_total": 1, "dirty": [{"series": 1}]}],
    }
    assert shown_facts(result) == {
        "pipeline": "p",
        "window": {"start": "a", "stop": "b"},
        "rows_in": 3,
        "generation": 2,
        "tiers": [{"pipeline": "q", "dirty_total": 1}],
    }
