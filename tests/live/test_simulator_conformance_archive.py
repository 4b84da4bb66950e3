"""What the simulator of ``tests/simulation`` does when points are archived, compared and erased is what InfluxDB and Parquet files do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.archive import PointsOf, SliceCounts
from airflow_provider_influx_rollup.flux.erase import MatchingPoints, PointEdges
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.steps.influx import Delete, ShowKeys, Write
from airflow_provider_influx_rollup.steps.store import (
    CompareParts,
    Comparison,
    EraseParts,
    FindDoubled,
    FingerprintPart,
    FingerprintPoints,
    FingerprintSource,
    Joined,
    JoinParts,
    ListFolder,
    MergeParts,
    PartsOf,
    PutNew,
    PutOver,
    ReadBytes,
    RemoveFiles,
    Tallied,
    TallyMatching,
    WriteParts,
    WritePoints,
)
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from tests.live.test_simulator_conformance import HOURS, SETTINGS, SOURCES, SPAN, changed, changes, lines
from tests.scenes.rollup_runs import Place, make_place
from tests.simulation.store import SimulatedStore

pytestmark = pytest.mark.live

TAGS = ("device", "site")


@pytest.fixture(scope="module")
def place(influx: Any, client: InfluxClient) -> Place:
    return make_place(influx, client)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives")


def numbers(answer: Any) -> Any:
    """What does not depend on the bytes of a file, or on how rows are hashed."""
    if isinstance(answer, Part):
        return answer.kind, answer.rows, answer.first_ns, answer.last_ns
    if isinstance(answer, Fingerprint):
        rows = {key: total.rows for key, total in answer.fields.items()}
        return rows, answer.series_count, sorted(total.rows for total in answer.series.values())
    if isinstance(answer, Comparison):
        names = ("equal", "missing", "changed", "unknown", "series", "doubled")
        return [getattr(answer, name) for name in names], answer.archived.rows, numbers(answer.kept)
    if isinstance(answer, Joined):
        return numbers(answer.parts), numbers(answer.found), answer.series
    if isinstance(answer, Tallied):
        return numbers(answer.points)
    return [numbers(one) for one in answer] if isinstance(answer, list | tuple) else answer


@given(some=changes, late=st.lists(lines(), max_size=4), tags=st.sampled_from(SOURCES), data=st.data())
@SETTINGS
def test_files_and_queries_of_archives_are_equal(
    client: InfluxClient,
    place: Place,
    folder: Path,
    some: list[Any],
    late: list[str],
    tags: dict[str, tuple[str, ...]],
    data: st.DataObject,
) -> None:
    both = changed(client, place.source, some)
    both.simulated.ensure(place.target)
    real, simulated = ArchiveStore.of_url(str(folder / both.measurement)), SimulatedStore()
    actions = actions_with(real)

    def ask(step: Any, *, theirs: Any = None) -> tuple[Any, Any]:
        answers = act(step, client, actions), simulated.act(both.simulated, theirs or step)
        assert numbers(answers[0]) == numbers(answers[1]), step
        return answers

    def paths(parts: Any) -> tuple[str, ...]:
        return tuple(f"gen/{part.name}" for part in parts)

    source, every = (RollupSource(place.source, both.measurement, chosen) for chosen in (tags, {}))
    span = data.draw(st.sampled_from([SPAN, *HOURS]))
    assert both.require_equal(SliceCounts(source, HOURS)) is not None
    assert len({tuple(sorted(edges)) for edges in both.ask(PointEdges(every, span))}) == 1
    keys, mine = both.ask(ShowKeys(place.source, both.measurement))
    # those of series that were deleted are in the server's index
    assert set(mine.tags) <= set(keys.tags)
    assert all(set(kinds) <= set(keys.fields[name]) for name, kinds in mine.fields.items())
    query = PointsOf(bucket=place.source, measurement=both.measurement, interval=SPAN)
    ask(FingerprintSource((MatchingPoints(source, span),)))
    before = ask(FingerprintSource((query,)))
    own, same = ask(WriteParts((query,), "gen", "a", TAGS))
    assert [part.name for part in own] == [part.name for part in same]
    for part, other in zip(own, same, strict=True):
        path = f"gen/{part.name}"
        ask(FingerprintPart(path, part.sha256), theirs=FingerprintPart(path, other.sha256))
    ask(FingerprintPoints(paths(own), span))
    if late:
        both.do(Write(place.source, [both.measurement + line for line in late]))
    after = ask(FingerprintSource((query,)))
    assert (before[0] == after[0]) == (before[1] == after[1])
    ask(CompareParts((query,), (paths(own),), SPAN))
    newer, _ = ask(WriteParts((query,), "gen", "b", TAGS))
    merged, _ = ask(
        MergeParts(older=paths(own), newer=paths(newer), folder="gen", name="c", tags=TAGS, interval=span)
    )[0]
    layers = (paths(newer), paths(own))
    ask(FindDoubled(layers, SPAN))
    ask(WritePoints(layers=layers, bucket=place.target, measurement=both.measurement, interval=SPAN))
    there = PointsOf(bucket=place.target, measurement=both.measurement, interval=SPAN)
    ask(CompareParts((there,), layers, SPAN))
    for path in paths(merged):
        ask(TallyMatching(path, (("device", "a"),), span))
    ask(
        EraseParts(
            paths=paths(merged), tags=(("device", "a"),), interval=span, folder="gen", name="d", keys=TAGS
        )
    )
    files = [tuple((f"gen/{p.name}", p.sha256) for p in parts) for parts in (own, same)]
    ask(
        JoinParts((PartsOf(files[0], span),), "gen", "e", TAGS),
        theirs=JoinParts((PartsOf(files[1], span),), "gen", "e", TAGS),
    )
    ask(ListFolder("gen"))
    both.do(Delete(place.target, SPAN, both.measurement))


names = st.sampled_from(["a", "b", "f/a", "f/g/b"])
small = st.one_of(
    st.builds(PutNew, names, st.sampled_from([b"", b"1", b"2"])),
    st.builds(PutOver, names, st.sampled_from([b"", b"3"])),
    st.builds(ReadBytes, names),
    st.builds(ListFolder, st.sampled_from(["f", "f/g", "h"])),
    st.builds(lambda name: RemoveFiles((name,)), names),
)


@given(some=st.lists(small, max_size=30))
def test_small_files_are_equal(tmp_path_factory: pytest.TempPathFactory, some: list[Any]) -> None:
    client: Any = None
    actions = actions_with(ArchiveStore.of_url(str(tmp_path_factory.mktemp("small"))))
    influx: Any = None
    simulated = SimulatedStore()
    for step in some:
        # a folder stays when its files are gone, and has no names
        assert act(step, client, actions) == simulated.act(influx, step), (step, some)
