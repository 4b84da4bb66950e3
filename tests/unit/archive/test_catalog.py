"""The index of archived windows: whatever comes between whichever steps, a reader finds the newest generations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.archive.catalog import Catalog, Entry, Mark, parse_marks, version_name
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, Total
from airflow_provider_influx_rollup.archive.manifest import Manifest, Part
from airflow_provider_influx_rollup.archive.paths import generation_folder, window_folder
from airflow_provider_influx_rollup.archive.pieces import cut_pieces
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.lifecycle.archive_files.index import (
    find_entries,
    fold_marks,
    mark_generation,
    rebuild_catalog,
)
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, ReadBytes, RemoveFiles
from airflow_provider_influx_rollup.windows.interval import Interval

FOLDER = "dev/b/m"
START = datetime(2026, 1, 1, tzinfo=UTC)


def hour(first: int, last: int | None = None) -> Interval:
    stop = first + 1 if last is None else last
    return Interval(START + timedelta(hours=first), START + timedelta(hours=stop))


class MemoryStore:
    """Files by path, and how often each kind of step was acted out."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.counts: dict[str, int] = {}

    def act(self, step: Any) -> Any:
        self.counts[type(step).__name__] = self.counts.get(type(step).__name__, 0) + 1
        if isinstance(step, Gather):
            return [self.act(one) for one in step.steps]
        return None if isinstance(step, Report) else self._act_alone(step)

    def _act_alone(self, step: Any) -> Any:
        match step:
            case ListFolder(path):
                begin = f"{path}/"
                return sorted(
                    {name[len(begin) :].split("/")[0] for name in self.files if name.startswith(begin)}
                )
            case ReadBytes(path):
                return self.files.get(path)
            case PutNew(path, data):
                if path in self.files:
                    return False
                self.files[path] = data
                return True
            case RemoveFiles(paths):
                for path in paths:
                    self.files.pop(path, None)
                return None
        raise TypeError(step)

    def run(self, steps: Any) -> Any:
        *_, result = [None, *self.running(steps)]
        return result

    def running(self, steps: Any) -> Iterator[Any]:
        """One step at each turn; the last item is the result."""
        answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                yield end.value
                return
            answer = self.act(step)
            yield None


def manifest_of(
    window: Interval, generation: int, created_at: str = "2026-02-01T00:00:00Z", **run: Any
) -> Manifest:
    content = Fingerprint(
        fields={("f", "float"): Total(generation, f"{generation:016x}")}, series={}, series_count=1
    )
    part = Part(
        name="float-x-0001.parquet",
        kind="float",
        rows=generation,
        bytes=100,
        sha256="0" * 64,
        first_ns=window.start_ns,
        last_ns=window.stop_ns - 1,
    )
    return Manifest(
        org="dev",
        bucket="b",
        measurement="m",
        window=window,
        generation=generation,
        tags=("t",),
        parts=(part,),
        content=content,
        source=content,
        created_at=created_at,
        run=run,
    )


def publish(window: Interval, generation: int) -> Iterator[Any]:
    yield from mark_generation(FOLDER, window, generation)
    folder = generation_folder(window_folder(FOLDER, window), generation)
    yield PutNew(f"{folder}/manifest.json", manifest_of(window, generation).encode())
    yield from fold_marks(FOLDER, 2)


def found(store: MemoryStore, interval: Interval | None = None) -> dict[Interval, int]:
    return {entry.window: entry.generation for entry in store.run(find_entries(FOLDER, interval))}


def test_a_reader_never_misses_a_published_generation_when_many_tasks_archive_at_once() -> None:
    for seed in range(25):
        chance = random.Random(seed)
        store = MemoryStore()
        tasks = []
        for number in range(6):
            window = hour(number % 3)
            tasks.append(
                [iter(store.running(publish(window, 1 + number // 3))), window, 1 + number // 3, False]
            )
        published: dict[Interval, int] = {}
        while tasks:
            task = chance.choice(tasks)
            # some die in the middle
            if next(task[0], "end") == "end" or chance.random() < 0.03:
                tasks.remove(task)
            for window in (hour(0), hour(1), hour(2)):
                for generation in (1, 2):
                    path = f"{generation_folder(window_folder(FOLDER, window), generation)}/manifest.json"
                    if path in store.files:
                        published[window] = max(generation, published.get(window, 0))
            assert found(store) == published
            assert found(store, hour(0, 3)) == published


def test_a_reader_is_right_when_a_writer_moves_between_its_steps() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        store = MemoryStore()
        for number in range(4):
            store.run(publish(hour(number), 1))
        writers = [iter(store.running(publish(hour(number), 2))) for number in range(4)]
        for writer in chance.choices(writers, k=12):
            next(writer, None)
        before = found(store)
        entries = None
        for item in store.running(find_entries(FOLDER, hour(0, 4))):
            entries = item
            for writer in chance.sample(writers, 2):
                next(writer, None)
        assert entries is not None
        after = {entry.window: entry.generation for entry in entries}
        assert {window: max(number, before[window]) for window, number in after.items()} == after
        assert set(after) == set(before)


def test_a_year_is_found_without_looking_into_its_folders_when_the_index_is_whole() -> None:
    store = MemoryStore()
    for number in range(100):
        store.run(publish(hour(number), 1))
    store.counts.clear()
    assert len(found(store, hour(0, 100))) == 100
    assert store.counts["ListFolder"] == 1
    assert store.counts["ReadBytes"] <= 2
    assert len([name for name in store.files if "/catalog/" in name]) <= 4


def test_windows_without_a_mark_are_found_when_the_index_leaves_a_gap() -> None:
    store = MemoryStore()
    store.run(publish(hour(0), 1))
    copied = generation_folder(window_folder(FOLDER, hour(5)), 3)
    store.files[f"{copied}/manifest.json"] = manifest_of(hour(5), 3).encode()
    assert found(store, hour(0, 6)) == {hour(0): 1, hour(5): 3}
    assert store.run(rebuild_catalog(FOLDER)).entries[hour(5)].generation == 3
    del store.files[f"{copied}/manifest.json"]
    assert found(store) == {hour(0): 1, hour(5): 3}
    store.run(rebuild_catalog(FOLDER))
    assert found(store) == {hour(0): 1}


def test_the_folders_decide_when_the_index_is_damaged() -> None:
    store = MemoryStore()
    for number in range(3):
        store.run(publish(hour(number), 1))
    path = max(name for name in store.files if name.endswith(".json") and "/catalog/" in name)
    store.files[path] = store.files[path].replace(b'"rows": 1', b'"rows": 2', 1)[:-3]
    assert found(store) == {hour(number): 1 for number in range(3)}
    store.run(publish(hour(1), 2))
    store.run(publish(hour(2), 2))
    store.counts.clear()
    assert found(store, hour(0, 3)) == {hour(0): 1, hour(1): 2, hour(2): 2}


def test_a_version_reads_back_as_it_was() -> None:
    window = {"window": hour(0).as_json(), "generation": 2}
    entry = Entry.of(manifest_of(hour(0, 2), 1, compacted=[window]))
    assert entry.compacted == {hour(0): 2}
    catalog = Catalog().next([entry], "dev/raw/m")
    assert Catalog.decode(catalog.encode(), "dev/raw/m/catalog/00000001.json") == catalog
    with pytest.raises(ArchiveMismatch):
        Catalog.decode(catalog.encode() + b" ", "dev/raw/m/catalog/00000001.json")
    with pytest.raises(ArchiveMismatch, match="it is of dev/raw/m"):
        Catalog.decode(catalog.encode(), "dev/raw/other/catalog/00000001.json")
    mark = Mark(Interval(START, START + timedelta(microseconds=5)), 12)
    assert parse_marks([mark.name, "00000001.json", version_name(3), "window=x.gen=1.mark"]) == [mark]


def entry(window: Interval, created: int, generation: int = 1, **compacted: Any) -> Entry:
    return Entry.of(manifest_of(window, generation, f"2026-02-{created:02d}T00:00:00Z", **compacted))


def test_pieces_are_the_windows_inside_the_interval() -> None:
    hours = [entry(hour(number), 1) for number in (0, 1, 3)]
    pieces = cut_pieces(hours, Interval(START + timedelta(minutes=30), START + timedelta(hours=9)))
    assert [(piece.interval, piece.entries) for piece in pieces] == [
        (Interval(START + timedelta(minutes=30), START + timedelta(hours=1)), (hours[0],)),
        (hour(1), (hours[1],)),
        (hour(3), (hours[2],)),
    ]


def test_all_windows_of_a_time_count_when_they_overlap() -> None:
    day, late, early = entry(hour(0, 4), 5), entry(hour(1), 9), entry(hour(2), 2)
    pieces = cut_pieces([day, late, early], hour(0, 4))
    assert [(piece.interval, piece.entries) for piece in pieces] == [
        (hour(0), (day,)),
        (hour(1), (late, day)),
        (hour(2), (day, early)),
        (hour(3), (day,)),
    ]


def test_a_compacted_window_counts_once_when_nothing_has_changed_since() -> None:
    members = [{"window": hour(number).as_json(), "generation": 1} for number in range(2)]
    large = entry(hour(0, 2), 3, compacted=members)
    first, changed = entry(hour(0), 1), entry(hour(1), 2, generation=2)
    pieces = cut_pieces([large, first, changed], hour(0, 2))
    assert [(piece.interval, piece.entries) for piece in pieces] == [
        (hour(0), (large,)),
        (hour(1), (changed,)),
    ]
