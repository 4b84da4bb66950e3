"""Names of assets, as Airflow of this version keeps them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.airflow_compat import Asset, has_partitions
from airflow_provider_influx_rollup.assets.uri import (
    archive_asset,
    convert_asset_to_openlineage,
    create_asset,
    measurement_asset,
    sanitize_uri,
)
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidDuration, WindowMisaligned
from airflow_provider_influx_rollup.get_provider_info import get_provider_info
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(str.strip)


def test_name_has_connection_organisation_bucket_and_measurement() -> None:
    plain = measurement_asset("telemetry_1h", "sensor_readings")
    assert plain.uri == "influxdb://influx_rollup_default/-/telemetry_1h/sensor_readings"
    named = measurement_asset("a b/c", "grün|x", influx_conn_id="plant", org="my org")
    assert named.uri == "influxdb://plant/my%20org/a%20b%2Fc/gr%C3%BCn%7Cx"
    assert measurement_asset("bucket").uri == "influxdb://influx_rollup_default/-/bucket"
    assert archive_asset("s3://minio@lake/t/", "raw", "m").uri == "s3://lake/t/-/raw/m"
    assert archive_asset("/lake", "raw", "m", org="o").uri == "file:///lake/o/raw/m"


@given(NAMES, NAMES)
def test_every_name_is_kept_and_is_another_asset(bucket: str, measurement: str) -> None:
    uri = measurement_asset(bucket, measurement).uri
    assert uri.isascii()
    assert [unquote(part) for part in urlsplit(uri).path.split("/")[1:]] == ["-", bucket, measurement]
    assert sanitize_uri(urlsplit(uri)).geturl() == uri


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("s3://lake/ä b", "s3://lake/%C3%A4%20b"),
        ("/lake/a#b?c", "file:///lake/a%23b%3Fc"),
        ("/lake/100%", "file:///lake/100%25"),
        ("s3://lake/a=b/c+d@e:f", "s3://lake/a=b/c+d@e:f"),
        ("File:///lake/a b", "file:///lake/a%20b"),
        (Path("/lake"), "file:///lake"),
    ],
)
def test_path_of_an_archive_is_percent_encoded(path: Any, uri: str) -> None:
    assert archive_asset(path, "raw", "m").uri == f"{uri}/-/raw/m"


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ({"bucket": None}, "bucket of an asset is of the type NoneType"),
        ({"measurement": 5}, "measurement of an asset is of the type int"),
        ({"bucket": ""}, "bucket of an asset is empty"),
        ({"measurement": ""}, "measurement of an asset is empty"),
        ({"org": 5}, "org of an asset is of the type int"),
        ({"influx_conn_id": None}, "influx_conn_id of an asset is of the type NoneType"),
    ],
)
def test_name_that_is_no_text_is_refused(names: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        measurement_asset(**{"bucket": "b", "measurement": "m", **names})
    assert refused.value.what == what


@pytest.mark.parametrize("path", [None, 5, b"/lake"])
def test_path_that_is_no_text_is_refused(path: Any) -> None:
    with pytest.raises(ConfigurationError, match="the path of an asset is of the type"):
        archive_asset(path, "raw", "m")


def test_name_that_is_too_long_for_airflow_is_refused() -> None:
    long = "y" * 3_000
    with pytest.raises(ConfigurationError) as refused:
        measurement_asset("b", long)
    assert f"has {len(f'influxdb://influx_rollup_default/-/b/{long}')} characters" in refused.value.what
    assert len(refused.value.what) < 500
    assert "leave outlets out" in str(refused.value.fix)
    with pytest.raises(ConfigurationError, match="Airflow takes no asset of the name"):
        FluxRollupOperator(
            task_id="t",
            source_bucket="s",
            target_bucket="b",
            measurement=long,
            every="1h",
            aggregates=["sum"],
            outlets="auto",
        )


def test_secrets_never_stay_in_a_name() -> None:
    assert (
        sanitize_uri(urlsplit("influxdb://me:secret@plant/-/b/m?token=secret")).geturl()
        == "influxdb://plant/-/b/m"
    )
    with pytest.raises(ConfigurationError):
        archive_asset("s3://key:secret@lake/t", "raw", "m")


@pytest.mark.parametrize(
    "uri", ["influxdb:///-/b/m", "influxdb://c/b", "influxdb://c/o//m", "influxdb://c/o/b/m/x"]
)
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="influxdb://<connection>/<org>/<bucket>/<measurement> is expected"):
        sanitize_uri(urlsplit(uri))


def test_provider_declares_what_airflow_asks_for() -> None:
    info = get_provider_info()
    for key in ("asset-uris", "dataset-uris"):
        (declared,) = info[key]
        assert declared["schemes"] == ["influxdb"]
        found = [
            declared[name].rpartition(".")[2] for name in ("handler", "factory", "to_openlineage_converter")
        ]
        assert found == [one.__name__ for one in (sanitize_uri, create_asset, convert_asset_to_openlineage)]
    made = create_asset(bucket="b", measurement="m", extra={"a": 1})
    assert (made.uri, made.extra) == ("influxdb://influx_rollup_default/-/b/m", {"a": 1})


def test_openlineage_gets_the_servers_address(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    connection = {
        "conn_type": "influx_rollup",
        "host": "https://influx.example",
        "password": "secret",
        "extra": {"org": "o"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_PLANT", json.dumps(connection))
    found: Any = convert_asset_to_openlineage(measurement_asset("b c", "m", influx_conn_id="plant"), None)
    assert (found.namespace, found.name) == ("influxdb://influx.example:443", "o/b c/m")
    named = convert_asset_to_openlineage(measurement_asset("b", influx_conn_id="plant", org="x"), None)
    assert named.name == "x/b"


def test_assets_are_named_when_the_dag_is_parsed_and_by_an_alias_when_a_run_names_them() -> None:
    task = FluxRollupOperator(
        task_id="t",
        source_bucket="{{ ds }}",
        target_bucket="b",
        measurement=["m", "n"],
        every="1h",
        aggregates=["sum"],
        start="{{ ds }}",
        outlets=["auto", Asset("s3://other/one")],
    )
    assert [outlet.uri for outlet in task.outlets] == [
        "s3://other/one",
        "influxdb://influx_rollup_default/-/b/m",
        "influxdb://influx_rollup_default/-/b/n",
    ]
    templated = FluxRollupOperator(
        task_id="t",
        source_bucket="s",
        target_bucket="{{ ds }}",
        measurement="m",
        every="1h",
        aggregates=["sum"],
        outlets="auto",
    )
    assert [outlet.name for outlet in templated.outlets] == [f"influx_rollup:{templated.dag_id}:t"]


@pytest.mark.skipif(not has_partitions(), reason="Airflow 3.3 and later have partitions that tasks name")
def test_partitions_are_refused_when_windows_reach_over_them_or_names_are_unknown() -> None:
    least = {
        "task_id": "t",
        "source_bucket": "s",
        "aggregates": ["sum"],
        "outlets": "auto",
        "measurement": "m",
    }
    with pytest.raises(WindowMisaligned):
        FluxRollupOperator(**least, target_bucket="b", every="7h", partitions="1d")
    with pytest.raises(InvalidDuration):
        FluxRollupOperator(**least, target_bucket="b", every="1h", partitions="a day")
    with pytest.raises(ConfigurationError, match="partitions need an asset whose name is known"):
        FluxRollupOperator(**least, target_bucket="{{ ds }}", every="1h", partitions=True)
    days = FluxRollupOperator(
        **least, target_bucket="b", every="1d", timezone="Europe/Berlin", partitions="1mo"
    )
    assert days.partition_length == "1mo"


@pytest.mark.skipif(has_partitions(), reason="this Airflow has partitions that tasks name")
def test_partitions_are_refused_when_airflow_has_none() -> None:
    with pytest.raises(ConfigurationError, match="leave partitions out"):
        FluxRollupOperator(
            task_id="t",
            source_bucket="s",
            target_bucket="b",
            measurement="m",
            every="1h",
            aggregates=["sum"],
            outlets="auto",
            partitions=True,
        )
