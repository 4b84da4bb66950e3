"""What an archive needs of an object store, on a server of each kind."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from airflow_provider_influx_rollup.exceptions import ArchiveMissing
from tests.servers.object_stores import Server, at_once, running_server, store_of
from tests.servers.relay import running_relay
from tests.servers.s3_server import BUCKET

RACES = 5
WRITERS = 2
BLOCK = 5 << 20


@pytest.fixture(
    scope="module",
    params=[
        "s3",
        pytest.param("gcs", marks=pytest.mark.stores),
        pytest.param("azure", marks=pytest.mark.stores),
    ],
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(request.param, tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> str:
    """Of this test alone."""
    return f"{BUCKET}/{request.node.originalname}"


@pytest.mark.parametrize("text", [b"writer %d", b""], ids=["text", "empty"])
def test_exactly_one_writer_wins_when_all_put_at_once(server: Server, folder: str, text: bytes) -> None:
    stores = [store_of(server, folder) for _ in range(WRITERS)]
    texts = [text % number if text else text for number in range(WRITERS)]

    def put(path: str, number: int) -> tuple[bool, bytes]:
        return stores[number].put_new(path, texts[number]), texts[number]

    for race in range(RACES):
        path = f"{len(text)}/race{race}"
        said = at_once([partial(put, path, number) for number in range(WRITERS)])
        [winner] = [written for won, written in said if won]
        assert len(said) == WRITERS
        assert store_of(server, folder).read(path) == winner


def test_writer_knows_that_it_won_when_the_answer_is_lost(server: Server, folder: str) -> None:
    other = store_of(server, folder)
    with running_relay(server.url) as relay:
        store = store_of(replace(server, url=relay.url), folder)
        # a connection that is open already
        assert store.read("manifest.json") is None
        relay.lose_next_answer()
        assert store.put_new("manifest.json", b"mine")
        assert relay.lost == 1
        assert not store.put_new("manifest.json", b"another")
    assert not other.put_new("manifest.json", b"another")
    assert other.read("manifest.json") == b"mine"


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_nothing_is_seen_when_a_file_is_begun_and_fails(server: Server, folder: str, blocks: int) -> None:
    store, path = store_of(server, folder), f"{blocks}/part.parquet"

    def begin() -> None:
        with store.writing(path) as file:
            file.write(b"begun")
            for _ in range(blocks):
                file.write(bytes(BLOCK))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begin()
    # what is thrown away is not put when it is collected, either
    gc.collect()
    other = store_of(server, folder)
    assert other.names(str(blocks)) == []
    with pytest.raises(ArchiveMissing, match="is not there"):
        other.require(path)
    with store.writing(path) as file:
        file.write(b"whole")
    with other.reading(path) as file:
        assert file.read() == b"whole"


def test_file_of_another_run_is_seen_when_the_folder_was_listed_before(server: Server, folder: str) -> None:
    reader, writer = store_of(server, folder), store_of(server, folder)
    assert reader.names("listed") == []
    writer.put_new("listed/one", b"1")
    assert reader.names("listed") == ["one"]
    with writer.writing("listed/two") as file:
        file.write(b"22")
    writer.put_over("listed/one", b"another length")
    for name, data in (("one", b"another length"), ("two", b"22")):
        reader.require(f"listed/{name}")
        with reader.reading(f"listed/{name}") as file:
            assert file.read() == data
    writer.remove(["listed/one", "listed/none"])
    with pytest.raises(ArchiveMissing):
        reader.require("listed/one")
    assert reader.names("listed") == ["two"]
