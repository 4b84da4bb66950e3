"""What goes wrong while a window is archived: answers that are cut, runs that die, stores that refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    InfluxError,
    InfluxRollupError,
    InfluxUnavailable,
    SourceChanging,
    StoreUnavailable,
)
from airflow_provider_influx_rollup.flux.archive import PointsOf
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import PurgeState, write_purge
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Step
from airflow_provider_influx_rollup.steps.store import (
    FingerprintPart,
    FingerprintSource,
    PutNew,
    WriteParts,
)
from airflow_provider_influx_rollup.stores.actions import actions_with
from tests.conftest import InfluxServer
from tests.faults.request_proxy import NO_FAULT, Fault, canned, running_request_proxy
from tests.faults.scenes import quick_retries
from tests.scenes.archive_scene import (
    FOLDER,
    WINDOW,
    ArchiveScene,
    Point,
    client_of,
    facts_of,
    make_archive_scene,
    nothing_published,
    point,
    small_points,
)
from tests.scenes.cuts import may_change

pytestmark = pytest.mark.live

MAX_STEPS = 80


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    made = make_archive_scene(influx, client, tmp_path)
    made.write(small_points())
    return made


class CutTransport:
    """Passes answers on, but cuts those of reads of points, without a word.

    :param cut: how many bytes come through
    """

    def __init__(self, real: Any, cut: int) -> None:
        self._real = real
        self.cut = cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def stream(self, request: Any, **options: Any) -> Iterator[bytes]:
        data = b"".join(self._real.stream(request, **options))
        yield data[: self.cut] if b"drop(columns" in (request.body or b"") else data


class CannedTransport:
    """Gives some bytes as the whole answer."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, request: Any, **_options: Any) -> Iterator[bytes]:
        yield self._data


def test_cut_answer_is_never_an_archive_when_it_stops_at_any_byte(
    scene: ArchiveScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = PointsOf(bucket=scene.bucket, measurement="m", interval=WINDOW, by_field=True)
    cut = client_of(scene.server)
    real = cut._transport
    monkeypatch.setattr(cut, "_transport", CutTransport(real, 10**9))
    body = b"".join(real.stream(_request(scene, points.flux())))
    step = WriteParts((points,), "try", "t", ("device",))
    accepted = []
    for length in range(len(body)):
        monkeypatch.setattr(cut, "_transport", CannedTransport(body[:length]))
        try:
            parts = act(step, cut, actions_with(scene.store))
        except InfluxError:
            assert not any((scene.base / "try").glob("*"))
        else:
            accepted.append(length)
            assert sum(part.rows for part in parts) < 6
            for path in (scene.base / "try").glob("*"):
                path.unlink()
    assert len(body) > 400
    # text alone cannot tell at the border of two blocks; the counts do
    assert accepted == [body.index(b"\r\n\r\n") + 4]
    monkeypatch.setattr(cut, "_transport", CutTransport(real, accepted[0]))
    with nothing_published(scene), pytest.raises(SourceChanging):
        scene.archive(client=cut)
    assert any("6 points were counted, 3 were read" in text for text in scene.told)


def _request(scene: ArchiveScene, flux: str) -> Any:
    from airflow_provider_influx_rollup.client.requests import query_request

    return query_request(scene.server.org, flux)


ERROR_TABLE = b"#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,runtime error: bad luck,\r\n"
ONE_BLOCK = (
    b"#datatype,string,long,dateTime:RFC3339,double,string,string\r\n#group,false,false,false,false,true,true\r\n"
    b"#default,_result,,,,,\r\n,result,table,_time,_value,_field,device\r\n"
    b",,0,2025-03-08T00:00:00Z,20.5,temp,a\r\n\r\n"
)
BROKEN: dict[str, tuple[bytes, type[InfluxRollupError]]] = {
    "error table after rows": (canned("200 OK", (ONE_BLOCK + ERROR_TABLE).decode()), InfluxError),
    "longer than it says": (
        canned("200 OK", ONE_BLOCK.decode()).replace(b"Content-Length: ", b"Content-Length: 1\r\nX-Was: "),
        InfluxRollupError,
    ),
    "shorter than it says": (
        canned("200 OK", ONE_BLOCK.decode()).replace(b"Content-Length: ", b"Content-Length: 9"),
        InfluxError,
    ),
    "panic after rows": (
        canned(
            "200 OK", ONE_BLOCK.decode() + '{"code":"internal error","message":"a panic has occurred: x"}'
        ),
        InfluxError,
    ),
    "one block only": (canned("200 OK", ONE_BLOCK.decode()), SourceChanging),
    "nothing": (canned("200 OK", "\r\n"), SourceChanging),
    "status 500": (canned("500 Oops", '{"code":"internal error","message":"no"}'), InfluxUnavailable),
}


@pytest.mark.parametrize(("answer", "error"), BROKEN.values(), ids=BROKEN)
def test_broken_answer_is_never_an_archive(
    scene: ArchiveScene, answer: bytes, error: type[InfluxRollupError]
) -> None:
    def decide(_kind: str, request: bytes) -> Fault:
        reads_source = rf"from(bucket: \"{scene.bucket}\")".encode()
        is_of_source = b"drop(columns" in request and reads_source in request
        return Fault("canned", answer=answer) if is_of_source else NO_FAULT

    with quick_retries(), running_request_proxy(scene.server.url) as proxy:
        proxy.plan(decide)
        with client_of(scene.server, proxy.url) as through:
            with nothing_published(scene), pytest.raises(error):
                scene.archive(client=through)
            assert proxy.fault_count > 0
            proxy.plan(lambda _kind, _request: NO_FAULT)
            assert scene.archive(client=through)["rows_out"] == 6


def purge(scene: ArchiveScene) -> None:
    for state in ("deleting", "done"):
        steps = write_purge(f"{scene.spec.folder}/{FOLDER}", PurgeState(generation=1, state=state))
        drive(steps, scene.client, scene.tell, actions_with(scene.store))
        scene.delete()


LATE = point(77, {"device": "late", "more": "tag"}, "temp", 1.0)


def prepare_first(scene: ArchiveScene) -> list[Point]:
    return small_points()


def prepare_changed(scene: ArchiveScene) -> list[Point]:
    scene.archive()
    scene.write([LATE])
    return [*small_points(), LATE]


def prepare_purged(scene: ArchiveScene) -> list[Point]:
    scene.archive()
    purge(scene)
    scene.write([LATE])
    return [*small_points(), LATE]


PREPARE = {"first": prepare_first, "changed": prepare_changed, "purged": prepare_purged}


def advance(scene: ArchiveScene, steps: Any, boundary: int, counts: Callable[[Step], bool]) -> Step | None:
    """Act out until so many of the steps that count are done; the next of them, or None when there are fewer."""
    actions: Mapping[Any, Any] = actions_with(scene.store)
    pending: Step = next(steps)
    while boundary or not counts(pending):
        boundary -= counts(pending)
        answer = None if isinstance(pending, Report) else act(pending, scene.client, actions)
        try:
            pending = steps.send(answer)
        except StopIteration:
            return None
    return pending


ENDS = [
    # one of them in each run of all tests, the others with `make faults`
    pytest.param(prepare, fails, id=f"{name}-{'fails' if fails else 'dies'}", marks=marks)
    for name, prepare in PREPARE.items()
    for fails in (False, True)
    for marks in ([pytest.mark.faults] if (name, fails) != ("purged", False) else [],)
]


@pytest.mark.parametrize(("prepare", "fails"), ENDS)
def test_rerun_finishes_and_readers_see_whole_generations_when_a_run_ends_between_any_two_steps(
    scene: ArchiveScene, prepare: Callable[[ArchiveScene], list[Point]], fails: bool
) -> None:
    published = 0
    for boundary in range(MAX_STEPS):
        # a folder and points of its own, in the same bucket
        scene.base = scene.base.parent / f"{boundary}"
        scene.delete()
        scene.write(small_points())
        expected = facts_of(prepare(scene))
        before = set(scene.manifests())
        scene.clock = WINDOW.stop + timedelta(days=1, seconds=boundary)
        steps = scene.steps(max_rows_per_read=4)
        # any step may fail; a run that dies before one that only reads leaves what one leaves that dies after it
        if advance(scene, steps, boundary, (lambda _step: True) if fails else may_change) is None:
            break
        if fails:
            with pytest.raises(StoreUnavailable):
                steps.throw(StoreUnavailable("the store is away"))
        steps.close()
        for generation in scene.manifests():
            wanted = expected if generation not in before else facts_of(small_points())
            assert scene.stored(generation=generation) == wanted, boundary
        published += set(scene.manifests()) > before
        scene.clock += timedelta(seconds=1)
        scene.archive()
        assert scene.stored() == expected, boundary
        newest = max(scene.manifests())
        assert newest == len(before) + 1, boundary
        named = {part["name"] for part in scene.manifests()[newest]["parts"]}
        left = {path.name for path in scene.files() if f"gen={newest}" in path.parts}
        assert left == {*named, "manifest.json"}, boundary
    assert (10 if fails else 5) < boundary < MAX_STEPS - 1
    assert 0 < published < boundary


def test_nothing_is_published_when_a_file_changes_between_write_and_read_back(scene: ArchiveScene) -> None:
    def tampered(client: InfluxClient, step: FingerprintPart) -> Any:
        path = scene.base / step.path
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        return real[FingerprintPart](client, step)

    real = actions_with(scene.store)
    with pytest.raises(ArchiveMismatch, match="is not the file that was written"):
        drive(scene.steps(), scene.client, scene.tell, {**real, FingerprintPart: tampered})
    assert scene.manifests() == {}
    assert scene.archive()["rows_out"] == 6


def test_files_of_a_generation_stay_when_another_run_of_the_same_name_comes_later(
    scene: ArchiveScene,
) -> None:
    scene.clock = WINDOW.stop + timedelta(days=1)
    real = actions_with(scene.store)
    others: list[dict[str, Any]] = []

    def later(client: InfluxClient, step: PutNew) -> Any:
        if step.path.endswith("gen=1/manifest.json") and not others:
            # the same files, names and all, as clocks and names of runs may be the same
            others.append({})
            others.append(scene.archive())
        return real[PutNew](client, step)

    drive(scene.steps(), scene.client, scene.tell, {**real, PutNew: later})
    assert others[1]["new"] == 1
    assert scene.stored() == facts_of(small_points())
    assert list(scene.manifests()) == [1]


def test_nothing_is_published_when_points_land_between_write_and_proof(scene: ArchiveScene) -> None:
    landed: list[Point] = []

    def landing(client: InfluxClient, step: FingerprintSource) -> Any:
        if len(landed) < times:
            landed.append(replace(LATE, time_ns=LATE.time_ns + len(landed)))
            scene.write(landed[-1:])
        return real[FingerprintSource](client, step)

    real = actions_with(scene.store)
    actions = {**real, FingerprintSource: landing}
    times = 100
    with nothing_published(scene), pytest.raises(SourceChanging):
        drive(scene.steps(), scene.client, scene.tell, actions)
    times = len(landed) + 1
    drive(scene.steps(), scene.client, scene.tell, actions)
    assert scene.stored() == facts_of([*small_points(), *landed])
