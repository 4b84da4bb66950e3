"""What a step reads, and what a verb may write: a step that reads what no other run may write can be done at once.

A place is a bucket and a measurement, ``("store",)``, ``("buckets",)`` or ``("clock",)``; a shorter one stands for all that
begin with it. What is not known touches ``EVERYTHING``.

When a run ends, the simulator looks whether it has committed its windows. That is no part of a footprint: it is strictest
right after the last step, so it does not matter that others could have gone on before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.ledger_history import CoveredWindows, WrittenSpecs
from airflow_provider_influx_rollup.flux.ledger_read import (
    ArchiveFolders,
    ClaimsOf,
    ReceiptsOf,
    ReceiptsOfSeveral,
    ReceiptStates,
    SetAsideRecords,
    StoredSpecs,
    WritingReceipts,
)
from airflow_provider_influx_rollup.flux.purges import MarksBetween, MarksOfBucket, OverlappingMarks
from airflow_provider_influx_rollup.flux.query import Together
from airflow_provider_influx_rollup.steps.influx import (
    CheckWritable,
    Delete,
    EnsureBucket,
    FindBucket,
    FindBucketById,
    Gather,
    Report,
    Sleep,
    Write,
)
from airflow_provider_influx_rollup.steps.store import (
    CompareParts,
    FingerprintPart,
    FingerprintPoints,
    FingerprintSource,
    ListFolder,
    ReadBytes,
    TallyMatching,
    WritePoints,
)
from tests.simulation.lines import parse_lines
from tests.simulation.pipelines import Pipeline
from tests.simulation.places import ROW_BUCKETS
from tests.simulation.runs import ROLLUPS, Act, Run
from tests.simulation.store import STORE_ACTIONS

Place = tuple[str, ...]
Places = frozenset[Place]
EVERYTHING: Places = frozenset([()])
RAW: Place = ("raw",)
STORE: Place = ("store",)
BUCKETS: Place = ("buckets",)
#: each step is told the time when it is answered
CLOCK: Place = ("clock",)
RECEIPTS: Place = ("ledger", "window_receipt")
#: what queries of a ledger read
RECORDS: dict[type[Any], str] = {
    **dict.fromkeys(
        (CoveredWindows, ReceiptsOf, ReceiptsOfSeveral, ReceiptStates, WritingReceipts, ClaimsOf), RECEIPTS[1]
    ),
    **dict.fromkeys((MarksBetween, MarksOfBucket, OverlappingMarks), "purged_window"),
    WrittenSpecs: "window_event",
    SetAsideRecords: "ghost_survivors",
    StoredSpecs: "pipeline_spec",
    ArchiveFolders: "archive_folder",
}
WRITTEN_BY: dict[type[Any], Places] = {
    Act: frozenset([RAW]),
    **dict.fromkeys(STORE_ACTIONS, frozenset([STORE])),
}
FILE_READS = (ReadBytes, ListFolder, FingerprintPart, FingerprintPoints, TallyMatching)
BUCKET_READS = (FindBucket, FindBucketById, CheckWritable, BucketsNow)
#: what a rollup writes to the ledger, and who repairs one
OF_ROLLUPS = (
    "pipeline_spec",
    "window_event",
    "window_receipt",
    "ghost_survivors",
    "lateness",
    "lateness_check",
)
#: what verbs write that keep files
OF_FILES: Places = frozenset([STORE, RECEIPTS, ("ledger", "window_event"), ("ledger", "archive_folder")])
MARKS: Place = ("ledger", "purged_window")
CERTIFICATES: Place = ("ledger", "purge_certificate")
#: what other verbs may write; not here: everything
WRITTEN: dict[str, Places] = {
    "write": frozenset([RAW]),
    "archive": OF_FILES,
    "compact": OF_FILES,
    "restore": OF_FILES | {RAW, MARKS},
    "purge": OF_FILES | {RAW, MARKS, CERTIFICATES, CLOCK},
}


def may_write(verb: str, pipelines: Iterable[Pipeline]) -> Places:
    """All that runs of a verb may ever change.

    :param verb: empty for a writer
    :param pipelines: those of the world
    """
    if verb in ROLLUPS:
        rows = {(one.target, one.measurement) for one in pipelines}
        return frozenset([*rows, *(("ledger", name) for name in OF_ROLLUPS)])
    return WRITTEN.get(verb or "write", EVERYTHING)


def overlap(some: Iterable[Place], others: Iterable[Place]) -> bool:
    """Whether they have something in common."""
    several = tuple(others)
    return any(one[: len(two)] == two[: len(one)] for one in some for two in several)


def reads(run: Run, step: Any) -> Places:
    """All that a step of a run reads, what it writes aside; and what the checks of the simulator read at it."""
    if (run.verb or "write") not in (*ROLLUPS, *WRITTEN):
        return EVERYTHING
    if run.began_at is None:
        # it remembers what the source was
        return frozenset([RAW, CLOCK])
    return frozenset([CLOCK, *_reads(step)])


def _reads(step: Any) -> Places:
    kind = type(step)
    if isinstance(step, Report | Sleep):
        return frozenset()
    if isinstance(step, Gather | Together):
        parts = step.steps if isinstance(step, Gather) else step.parts
        return frozenset(place for part in parts for place in _reads(part))
    if kind in RECORDS:
        return frozenset([("ledger", RECORDS[kind])])
    if kind in BUCKET_READS or isinstance(step, EnsureBucket):
        return frozenset([BUCKETS])
    if kind in FILE_READS:
        return frozenset([STORE])
    if isinstance(step, FingerprintSource | CompareParts):
        points = [place for part in step.points for place in _reads(part)]
        return frozenset([*points, *([STORE] if isinstance(step, CompareParts) else ())])
    source = getattr(step, "source", step)
    bucket, measurement = getattr(source, "bucket", None), getattr(source, "measurement", None)
    if not isinstance(bucket, str) or not isinstance(measurement, str):
        return EVERYTHING
    # where rows are read to make a tier, the checks look who has committed them
    return frozenset([(bucket, measurement), *([RECEIPTS] if bucket in ROW_BUCKETS else ())])


def writes(run: Run, step: Any) -> Places:
    """All that a step may change."""
    if isinstance(step, Gather):
        return frozenset(place for part in step.steps for place in writes(run, part))
    if isinstance(step, Write):
        points = {one.measurement for one in step.points}
        names = {line.measurement for line in parse_lines(step.lines)} | points
        return frozenset((step.bucket, name) for name in names)
    if isinstance(step, Delete | WritePoints):
        return frozenset([(step.bucket, step.measurement)])
    if isinstance(step, Sleep):
        return frozenset() if run.waits_in_no_time else frozenset([CLOCK])
    if isinstance(step, EnsureBucket):
        return frozenset() if step.name in run.world.influx.buckets else frozenset([BUCKETS])
    if not getattr(step, "may_write", True):
        return frozenset()
    return WRITTEN_BY.get(type(step), EVERYTHING)
