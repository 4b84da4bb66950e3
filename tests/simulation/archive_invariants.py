"""What must be true of a world with an archive, after each step and at rest."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Any

from tests.simulation.influx import nanoseconds
from tests.simulation.lines import Tags
from tests.simulation.pipelines import SPAN
from tests.simulation.store import HALF, PARQUET, decoded
from tests.simulation.world import ERASED, ERASED_NAME, World

FOLDER = "org/raw/m"
#: what validations write
OF_VALIDATIONS = (("clean", "m"), ("quarantine", "m"), ("ledger", "validation_results"))


def in_bucket(world: World) -> dict[tuple[Tags, int], float]:
    """The points of the source that the bucket has."""
    series = world.influx.buckets["raw"].measurements.get("m", {})
    return {(tags, time): float(value) for (tags, _), some in series.items() for time, value in some.items()}


def in_archive(world: World) -> dict[tuple[Tags, int], float]:
    """The points of the newest generation of each window, of files that are as its manifest says."""
    newest: dict[str, tuple[int, str]] = {}
    for path in world.store.files:
        folder, _, name = path.rpartition("/")
        if name == "manifest.json":
            window, _, number = folder.rpartition("/gen=")
            newest[window] = max(newest.get(window, (0, "")), (int(number), folder))
    found: dict[tuple[Tags, int], float] = {}
    for _, folder in newest.values():
        manifest = read(world.store.files[f"{folder}/manifest.json"])
        for part in manifest["parts"]:
            data = world.store.files.get(f"{folder}/{part['name']}", b"")
            if sha256(data).hexdigest() == part["sha256"]:
                found |= {(tags, time): value for tags, _, time, value in decoded(data)}
    return found


def named_files(world: World) -> set[str]:
    """The files that manifests name."""
    found = set()
    for path in world.store.files:
        folder, _, name = path.rpartition("/")
        if name == "manifest.json":
            found.update(f"{folder}/{part['name']}" for part in read(world.store.files[path])["parts"])
    return found


def require_kept(world: World, verb: str = "", last_look: int = 0) -> None:
    """No point is gone that is not archived, or was erased.

    :param verb: of the run that has just deleted something
    :param last_look: how long the history was when it last looked at all points
    """
    there = in_bucket(world)
    gone = [
        key for key in world.source if there.get(key) != world.source[key] and not world.is_erased(key[0])
    ]
    if not gone:
        return
    archived = in_archive(world)
    lost = [key for key in gone if archived.get(key) != world.source[key]]
    if verb == "purge":
        # what comes between the last look and the delete cannot be known
        unknown = [key for key in lost if world.came[key] > last_look]
        if unknown:
            world.take_unseen(unknown)
            lost = [key for key in lost if key not in unknown]
    if lost:
        world.problems.append(f"{verb or 'somebody'} lost {shown(lost)}")


def require_erased(world: World, version: int) -> None:
    """Nothing of the series is anywhere that was there when the erasure began.

    :param version: of the source at that time
    """
    places: list[tuple[str, Iterable[tuple[Tags, int]]]] = [("the bucket", in_bucket(world))]
    named = named_files(world)
    for path, data in world.store.files.items():
        # who wrote it of what was read before the erasure removes it when it has looked at the fences, or the next archive does
        if path.endswith(PARQUET) and data != HALF and (path in named or path not in world.strays):
            places.append((path, ((point[0], point[2]) for point in decoded(data))))
    for place, keys in places:
        left = [key for key in keys if set(ERASED) <= set(key[0]) and world.came.get(key, 0) <= version]
        if left:
            world.problems.append(f"erased, and in {place}: {shown(left)}")
    if not any(set(ERASED) <= set(tags) and came > version for (tags, _), came in world.came.items()):
        world.problems += named_erased(world, () if not world.is_validated_now() else OF_VALIDATIONS)
    there, archived = in_bucket(world), in_archive(world)
    world.forget(
        [
            key
            for key in world.source
            if set(ERASED) <= set(key[0]) and key not in there and key not in archived
        ]
    )


def _is_torn(world: World, start: int, columns: Collection[str]) -> bool:
    """Whether some values are in a window that is to be healed: one of another pipeline may be put back by a run that has hung."""
    committed = world.committed() if len(world.pipelines) > 1 else {}
    owners = [one for one in world.pipelines if any(f"temp_{name}" in columns for name in one.aggregates)]
    return bool(committed) and any((one.name, start) not in committed for one in owners)


def named_erased(world: World, but: Collection[tuple[str, str]] = ()) -> list[str]:
    """Where the erased series are named: in points, records of the ledger, documents of the archive.

    :param but: buckets and measurements that are left out
    """
    problems = []
    for bucket in world.influx.buckets.values():
        for measurement in bucket.measurements:
            if (bucket.name, measurement) in but:
                continue
            for tags, time, values in bucket.pivoted(measurement):
                if bucket.name in ("rolled", "daily") and _is_torn(world, time, values):
                    continue
                texts = [*(value for _, value in tags), *map(str, values.values())]
                told = [text for text in texts if ERASED_NAME in text]
                if told:
                    problems.append(f"erased, and named in {bucket.name}/{measurement}: {told[0][:200]}")
    problems += [
        f"erased, and named in {path}"
        for path, data in world.store.files.items()
        if ERASED_NAME in path or ERASED_NAME.encode() in data
    ]
    return problems[:3]


def require_certificates(world: World) -> list[str]:
    """Certificates follow each other, and each is what its hash says."""
    problems: list[str] = []
    before = {"number": 0, "sha256": ""}
    folder = f"{FOLDER}/certificates/"
    for path in sorted(path for path in world.store.files if path.startswith(folder)):
        data = world.store.files[path]
        values = read(data)
        if values["previous"] != before or values["number"] != before["number"] + 1:
            problems.append(f"{path} follows {values['previous']}, not {before}")
        if seal_of(data) != values["sha256"]:
            problems.append(f"{path} is not what its hash says")
        before = {"number": values["number"], "sha256": sha256(data).hexdigest()}
    return problems


@lru_cache(maxsize=1024)
def read(data: bytes) -> dict[str, Any]:
    """A document, which is not to be changed."""
    values: dict[str, Any] = json.loads(data)
    return values


@lru_cache(maxsize=1024)
def seal_of(data: bytes) -> str:
    """The hash of a document without its hash, as the reference of the formats says."""
    rest = {key: value for key, value in read(data).items() if key != "sha256"}
    text = json.dumps(rest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return sha256(text.encode()).hexdigest()


def shown(keys: Iterable[tuple[Tags, int]]) -> str:
    """Points in few words."""
    start = nanoseconds(SPAN.start)
    texts = [
        f"{','.join(value for _, value in tags)}@{(time - start) / 3.6e12:.4f}"
        for tags, time in sorted(keys)[:4]
    ]
    return " ".join(texts)
