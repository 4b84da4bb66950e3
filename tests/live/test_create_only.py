"""Only file systems on which the first writer wins take archives; the condition is in the request."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.stores.create_only import create_options
from tests.servers.azure_server import AzureServer
from tests.servers.gcs_server import GcsServer, bucket_kind
from tests.servers.object_stores import store_of
from tests.servers.relay import Relay, running_relay

NOWHERE = "http://127.0.0.1:1"


class OldFiles:
    """As s3fs and gcsfs were before 2024.12: options that they do not know are passed over."""

    protocol = ("s3", "s3a")

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        raise AssertionError(path)


def write_nothing(store: ArchiveStore) -> None:
    with store.writing("x"):
        pytest.fail("the block was entered")


@pytest.mark.parametrize(
    "write",
    [
        write_nothing,
        lambda store: store.put_new("x", b"1"),
        lambda store: store.put_over("x", b"1"),
    ],
    ids=["writing", "put_new", "put_over"],
)
@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (MemoryFileSystem(), r"'memory' cannot make a file only when there is none.*To do: choose"),
        (OldFiles(), r"this version of s3fs cannot.*install s3fs>=2024\.12\.0"),
    ],
    ids=["memory", "old"],
)
def test_write_is_refused_when_the_last_writer_would_win(files: Any, reason: str, write: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"x://place is no safe place.*{reason}"):
        write(ArchiveStore(files, "/place", "x://place"))


def test_bucket_is_refused_when_it_is_zonal() -> None:
    server = GcsServer(NOWHERE)
    with bucket_kind("ZONAL_HIERARCHICAL"), pytest.raises(ConfigurationError, match="zonal bucket"):
        store_of(server, "lake/x").put_new("manifest.json", b"1")
    for kind in ("NON_HIERARCHICAL", "HIERARCHICAL", "UNKNOWN"):
        with bucket_kind(kind):
            assert create_options(server.files(), "lake/x", "gs://lake/x") == {"mode": "create"}


def ask(relay: Relay, server: GcsServer | AzureServer) -> tuple[str, dict[str, str]]:
    """Put a new file where one is; the request."""
    with bucket_kind("NON_HIERARCHICAL"):
        assert not store_of(server, "lake/x").put_new("mark", b"")
    [(_, path, headers)] = relay.requests
    return path, headers


def test_condition_is_in_the_request_when_the_store_is_google() -> None:
    with running_relay(NOWHERE) as relay:
        relay.refuse(412, b'{"error": {"code": 412, "message": "conditionNotMet"}}')
        path, _ = ask(relay, GcsServer(relay.url))
    assert parse_qs(urlsplit(path).query)["ifGenerationMatch"] == ["0"]


def test_condition_is_in_the_request_when_the_store_is_azure() -> None:
    with running_relay(NOWHERE) as relay:
        relay.refuse(409, b"", {"x-ms-error-code": "BlobAlreadyExists"})
        _, headers = ask(relay, AzureServer(relay.url))
    assert headers["if-none-match"] == "*"
