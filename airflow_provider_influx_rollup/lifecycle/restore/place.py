"""Find the folder that a restore reads."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_influx_rollup.flux.ledger_read import ArchiveFolders
from airflow_provider_influx_rollup.lifecycle.archive_files.place import folder_of_id, folder_of_names
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Gather
from airflow_provider_influx_rollup.steps.step import Steps


def located_source(spec: RestoreSpec) -> Steps[RestoreSpec]:
    """A restore with the folder of its source: a bucket by its present name, or a folder by its own."""
    names = (FindBucket(spec.source_bucket), FindBucket(spec.target_bucket), FindBucket(spec.ledger_bucket))
    source, target, ledger = yield from ask(Gather(names))
    if ledger is None:
        return spec
    folders = yield from ask(ArchiveFolders(spec.ledger_bucket))
    known = folder_of_id(folders, source.id) if source is not None and spec.org == spec.target_org else None
    known = known or folder_of_names(folders, spec.org, spec.source_bucket)
    if known is None:
        return spec
    is_own = target is not None and target.id == known.bucket_id
    return replace(spec, kept_as=known.names, is_of_target=is_own)
