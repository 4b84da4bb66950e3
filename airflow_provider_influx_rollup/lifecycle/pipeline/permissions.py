"""The permissions that each stage of a lifecycle needs, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle

READ, WRITE = "read", "write"
BUCKET = "buckets"
TASKS = "tasks"
ORGANISATION = "orgs"
MONITORING = "_monitoring"


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One permission of a token.

    :param action: ``read`` or ``write``
    :param kind: of the resource, as InfluxDB calls it
    :param bucket: name of the bucket; empty: all resources of the kind in the organisation
    """

    action: str
    kind: str
    bucket: str = ""

    def __str__(self) -> str:
        """For people."""
        if self.kind == ORGANISATION:
            return f"{self.action} the organisation"
        return f"{self.action} bucket {self.bucket!r}" if self.bucket else f"{self.action} all {self.kind}"


def permissions_of(lifecycle: Lifecycle) -> dict[str, tuple[Permission, ...]]:
    """Permissions of each stage, by its name, in the order of a run.

    A stage reads back what it writes, and its receipts. The ledger must exist: to make it takes the permission to make
    any bucket.
    """
    ledger = _both(lifecycle.ledger_bucket)
    found: dict[str, Iterable[Permission]] = {}
    if lifecycle.buckets:
        kinds = [BUCKET] + ["labels"] * any(one.labels for one in lifecycle.buckets)
        found["buckets"] = [
            *(Permission(action, kind) for kind in kinds for action in (READ, WRITE)),
            Permission(READ, ORGANISATION),
        ]
    validation = lifecycle.validation
    arrival = validation.bucket if validation else None
    if validation is not None:
        copies = [validation.quarantine_bucket, lifecycle.source_bucket if arrival else None]
        copied = [one for name in copies if name for one in _both(name)]
        found["validate"] = [Permission(READ, BUCKET, arrival or lifecycle.source_bucket), *copied, *ledger]
    below = lifecycle.source_bucket
    rolled: list[Permission] = []
    for tier in lifecycle.tiers:
        rolled += [Permission(READ, BUCKET, below), *_both(tier.bucket)]
        below = tier.bucket
    computing = [one for one in lifecycle.tiers if one.options().is_native]
    found["rollup"] = [
        *rolled,
        *ledger,
        *([Permission(READ, TASKS), Permission(WRITE, TASKS)] if computing else []),
    ]
    if lifecycle.deadman is not None:
        watched = Permission(READ, BUCKET, arrival or lifecycle.source_bucket)
        # queries find buckets of the system by their names only with this
        found["deadman"] = [watched, *_both(MONITORING), Permission(READ, ORGANISATION)]
    if lifecycle.reconcile is not None:
        found["reconcile"] = [*rolled, *ledger]
    if lifecycle.archive is not None:
        found["archive"] = [Permission(READ, BUCKET, lifecycle.source_bucket), *ledger]
        if lifecycle.archive.purge_after is not None:
            # it compares each tier with the points before it deletes them
            found["purge"] = [*rolled, *_both(lifecycle.source_bucket), *ledger]
    return {stage: tuple(sorted(set(needed))) for stage, needed in found.items()}


def _both(bucket: str) -> list[Permission]:
    return [Permission(READ, BUCKET, bucket), Permission(WRITE, BUCKET, bucket)]
