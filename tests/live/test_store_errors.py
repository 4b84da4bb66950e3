"""What object stores' libraries raise, as errors that say what to do and show no secret."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import (
    ArchiveMissing,
    ConfigurationError,
    InfluxRollupError,
    StoreForbidden,
    StoreUnavailable,
)
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.stores.store_errors import store_errors
from tests.servers.azure_server import ACCOUNT, KEY, AzureServer
from tests.servers.gcs_server import GcsServer, bucket_kind
from tests.servers.object_stores import store_of
from tests.servers.relay import running_relay

NOWHERE = "http://127.0.0.1:1"
SECRET = "SiGnAtUrE"


def write(store: ArchiveStore) -> None:
    with store.writing("x") as file:
        file.write(b"1")


ACTS: dict[str, Callable[[ArchiveStore], Any]] = {
    "write": write,
    "put_new": lambda store: store.put_new("x", b"1"),
    "put_over": lambda store: store.put_over("x", b"1"),
    "read": lambda store: store.read("x"),
    "names": lambda store: store.names("x"),
    "require": lambda store: store.require("x"),
    "remove": lambda store: store.remove(["x"]),
}


def google(status: int, message: str) -> tuple[int, bytes]:
    return status, f'{{"error": {{"code": {status}, "message": "{message}"}}}}'.encode()


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            google(403, "somebody does not have storage.objects.create access"),
            "right to read and write there",
        ),
        (
            google(401, "Anonymous caller does not have storage.objects.get access"),
            "right to read and write there",
        ),
        (google(400, "The bucket name is invalid"), "make the bucket, or correct the path"),
    ],
    ids=["403", "401", "400"],
)
def test_store_is_forbidden_when_google_refuses(act: str, answer: tuple[int, bytes], words: str) -> None:
    with running_relay(NOWHERE) as relay, bucket_kind("NON_HIERARCHICAL"):
        relay.refuse(*answer)
        store = store_of(GcsServer(relay.url), "lake/x")
        with pytest.raises(StoreForbidden, match=rf"^gs://lake/x/x .*{words}\.$") as caught:
            ACTS[act](store)
    assert caught.value.permanent


@pytest.mark.parametrize("act", ACTS)
def test_store_is_forbidden_when_azure_refuses(act: str) -> None:
    body = b"<Error><Code>AuthorizationPermissionMismatch</Code><Message>Not permitted.</Message></Error>"
    with running_relay(NOWHERE) as relay:
        relay.refuse(403, body, {"x-ms-error-code": "AuthorizationPermissionMismatch"})
        server = AzureServer(relay.url)
        signed = f"BlobEndpoint={relay.url}/{ACCOUNT};SharedAccessSignature=sv=2021-08-06&sig={SECRET}"
        for options in ({}, {"connection_string": signed}):
            with pytest.raises(
                StoreForbidden, match=r"^abfs://lake/x/x .*right to read and write there\.$"
            ) as caught:
                ACTS[act](store_of(server, "lake/x", **options))
            logged = "".join(traceback.format_exception(caught.value))
            assert KEY not in logged
            assert SECRET not in logged


@pytest.mark.parametrize(
    ("server", "options"),
    [
        (AzureServer(NOWHERE), {"connection_string": f"AccountKey={SECRET}"}),
        (AzureServer(NOWHERE), {"connection_string": None}),
        (GcsServer(NOWHERE), {"token": {"type": "service_account", "private_key": SECRET}}),
    ],
    ids=["half", "none", "no-key"],
)
def test_credentials_are_named_when_the_library_cannot_use_them(server: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="correct the store's Airflow connection") as caught:
        store_of(server, "lake/x", **options)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "error",
    [
        OSError(f"no way to https://somewhere/tokeninfo?access_token={SECRET} (refused)"),
        OSError(f"https://account.blob.core.windows.net/lake/x?sv=2021&sig={SECRET}"),
        OSError(f"AccountName=a;AccountKey={SECRET};EndpointSuffix=core.windows.net"),
        OSError(f"BlobEndpoint=http://a;SharedAccessSignature=sv=1&sig={SECRET}"),
        OSError(f"header Authorization: Bearer {SECRET} was refused"),
    ],
)
def test_secret_is_hidden_when_the_library_tells_it(error: OSError) -> None:
    with pytest.raises(StoreUnavailable) as caught, store_errors("gs://lake/x"):
        raise error
    assert "***" in str(caught.value)
    assert (
        SECRET
        not in "".join(traceback.format_exception(caught.value, chain=True)).partition("raise error")[2]
    )
    assert caught.value.__cause__ is None


def test_cause_is_kept_when_it_tells_no_secret() -> None:
    error = OSError("the network is down")
    with pytest.raises(StoreUnavailable) as caught, store_errors("gs://lake/x"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(("makes", "kind"), [(False, ArchiveMissing), (True, StoreForbidden)])
def test_container_is_missed_when_azure_says_404(makes: bool, kind: type[InfluxRollupError]) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    error = ResourceNotFoundError("The specified container does not exist.\nRequestId:1\nContent: <?xml?>")
    error.status_code = 404
    wrapped = RuntimeError(f"Failed to upload block: {error}!")
    wrapped.__cause__ = error
    for raised in (error, wrapped):
        with pytest.raises(kind) as caught, store_errors("abfs://lake/x", makes=makes):
            raise raised
        assert "RequestId" not in str(caught.value)


def test_error_passes_when_it_is_of_no_store() -> None:
    for error in (RuntimeError("ours"), ValueError("ours")):
        with pytest.raises(type(error), match=r"^ours$"), store_errors("gs://lake/x"):
            raise error
