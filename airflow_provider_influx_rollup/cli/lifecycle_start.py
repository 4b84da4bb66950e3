"""What a run of a lifecycle does once, before the stages of its measurements: targets of others, buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.lifecycle_stages import BUCKETS, ROLLUP, StageOutcome
from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError
from airflow_provider_influx_rollup.lifecycle.buckets.buckets import ensure_buckets
from airflow_provider_influx_rollup.lifecycle.pipeline.own_targets import require_own_targets
from airflow_provider_influx_rollup.lifecycle.pipeline.permissions import permissions_of

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a run.

    :param file: name of the lifecycle's file, for messages
    :param wanted: names of stages
    """

    server: Server
    lifecycle: Lifecycle
    file: str
    wanted: Sequence[str]

    @property
    def makes_buckets(self) -> bool:
        """Whether the buckets that the file declares are made."""
        return BUCKETS in self.wanted and bool(self.lifecycle.buckets)

    def require_buckets(self) -> None:
        """Refuse a lifecycle that lacks a bucket of its wanted stages: their token may see no other.

        :raises BucketNotFound: naming all that are missing
        """
        declared = {one.name for one in self.lifecycle.buckets}
        needed = permissions_of(self.lifecycle)
        touched = {one.bucket for stage in self.wanted for one in needed.get(stage, ())}
        used = [name for name in self.lifecycle.buckets_used() if name in touched]
        names = [name for name in used if not (self.makes_buckets and name in declared)]
        missing = [name for name in names if self.server.client.find_bucket(name) is None]
        if missing:
            what = f"bucket {', '.join(map(repr, missing))} does not exist, or the token may not read it"
            fix = "correct the lifecycle, create the bucket, or give the token the permission"
            if declared.issuperset(missing):
                make = f"make it, such as with influx-rollup buckets {self.file} --yes"
                fix = f"{make}, or give the token the permission"
            raise BucketNotFound(what, written="nothing", fix=fix)

    def require_own_targets(self, each: Sequence[Lifecycle]) -> None:
        """Refuse tiers that would write what other pipelines write.

        :param each: one lifecycle for each measurement
        :raises ConfigurationError: naming them
        """
        if ROLLUP in self.wanted:
            self.server.drive(require_own_targets([spec for one in each for spec in one.specs()]))

    def make_buckets(self, *, changes: bool) -> StageOutcome | None:
        """Make the buckets that the file declares.

        :param changes: whether buckets that are there already may be changed; missing ones are made anyway
        :return: what became of them; None when they are not wanted, or none is declared
        :raises ConfigurationError: when a bucket would have to be changed
        """
        if not self.makes_buckets:
            return None
        declared = self.lifecycle
        ensure = partial(ensure_buckets, declared.buckets, declared.ledger_bucket, self.server.client.now)
        if not changes:
            planned = self.server.drive(ensure(dry_run=True))
            different = [str(change) for change in planned.changes if change.before is not None]
            if different:
                what = f"buckets are not as {self.file} declares them: {'; '.join(different)}"
                fix = f"look at influx-rollup buckets {self.file}; give --yes to change them, which lets a purge delete too"
                raise ConfigurationError(what, written="nothing", fix=fix)
        found = self.server.drive(ensure())
        told = "; ".join(map(str, found.changes)) or "all as declared"
        return StageOutcome(BUCKETS, told, found.as_json())
