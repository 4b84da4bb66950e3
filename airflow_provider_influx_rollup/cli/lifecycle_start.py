"""What a run of a lifecycle does once, before the stages of its measurements: targets of others, buckets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.lifecycle_stages import BUCKETS, ROLLUP, StageOutcome
from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError
from airflow_provider_influx_rollup.lifecycle.buckets.buckets import ensure_buckets
from airflow_provider_influx_rollup.lifecycle.pipeline.own_targets import require_own_targets

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle


def begin(
    server: Server, lifecycle: Lifecycle, file: str, wanted: Sequence[str], *, changes_buckets: bool
) -> StageOutcome | None:
    """Refuse what no stage could do, and then make the buckets.

    :param file: name of the lifecycle's file, for messages
    :param wanted: names of stages
    :param changes_buckets: whether buckets that are there already may be changed; missing ones are made anyway
    :return: what became of the buckets; None when they are not wanted, or none is declared
    :raises ConfigurationError: when a target has another pipeline's values, or a bucket would have to be changed
    :raises BucketNotFound: naming all that are missing
    """
    makes_buckets = BUCKETS in wanted and bool(lifecycle.buckets)
    require_buckets(server, lifecycle, file, is_made=makes_buckets)
    if ROLLUP in wanted:
        server.drive(require_own_targets(lifecycle.specs()))
    return _ensure(server, lifecycle, file, changes_buckets) if makes_buckets else None


def require_buckets(server: Server, lifecycle: Lifecycle, file: str, *, is_made: bool) -> None:
    """Refuse a lifecycle that lacks a bucket.

    :param is_made: whether the buckets that the file declares will be made
    :raises BucketNotFound: naming all that are missing
    """
    declared = {one.name for one in lifecycle.buckets}
    names = [name for name in lifecycle.buckets_used() if not (is_made and name in declared)]
    missing = [name for name in names if server.client.find_bucket(name) is None]
    if missing:
        what = f"bucket {', '.join(map(repr, missing))} does not exist, or the token may not read it"
        fix = "correct the lifecycle, create the bucket, or give the token the permission"
        if declared.issuperset(missing):
            fix = f"make it, such as with influx-rollup buckets {file} --yes"
        raise BucketNotFound(what, written="nothing", fix=fix)


def _ensure(server: Server, lifecycle: Lifecycle, file: str, changes_buckets: bool) -> StageOutcome:
    ensure = partial(ensure_buckets, lifecycle.buckets, lifecycle.ledger_bucket, server.client.now)
    if not changes_buckets:
        planned = server.drive(ensure(dry_run=True))
        different = [str(change) for change in planned.changes if change.before is not None]
        if different:
            what = f"buckets are not as {file} declares them: {'; '.join(different)}"
            fix = f"look at influx-rollup buckets {file}; give --yes to change them, which lets a purge delete too"
            raise ConfigurationError(what, written="nothing", fix=fix)
    found = server.drive(ensure())
    told = "; ".join(map(str, found.changes)) or "all as declared"
    return StageOutcome(BUCKETS, told, found.as_json())
