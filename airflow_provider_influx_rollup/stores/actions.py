"""Act out each step that keeps files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.client.driver import ACTIONS
from airflow_provider_influx_rollup.steps.store import (
    CompareParts,
    EraseParts,
    FindDoubled,
    FingerprintPart,
    FingerprintPoints,
    FingerprintSource,
    JoinParts,
    ListFolder,
    MergeParts,
    PutNew,
    PutOver,
    ReadBytes,
    RemoveFiles,
    TallyMatching,
    WriteParts,
    WritePoints,
)
from airflow_provider_influx_rollup.steps.table import CommitPoints, ReadTable
from airflow_provider_influx_rollup.stores.compact_parts import act_fingerprint_points, act_join_parts
from airflow_provider_influx_rollup.stores.compare_parts import act_compare_parts, act_merge_parts
from airflow_provider_influx_rollup.stores.doubled_points import act_find_doubled
from airflow_provider_influx_rollup.stores.erase_parts import act_erase_parts, act_tally_matching
from airflow_provider_influx_rollup.stores.export_delta import act_commit_points, act_read_table
from airflow_provider_influx_rollup.stores.read_parts import act_fingerprint_part
from airflow_provider_influx_rollup.stores.read_source import act_fingerprint_source
from airflow_provider_influx_rollup.stores.write_parts import act_write_parts
from airflow_provider_influx_rollup.stores.write_points import act_write_points

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

StoreAction = Callable[["ArchiveStore", "InfluxClient", Any], Any]

STORE_ACTIONS: Mapping[type[Any], StoreAction] = {
    WriteParts: act_write_parts,
    FingerprintSource: act_fingerprint_source,
    FingerprintPart: act_fingerprint_part,
    MergeParts: act_merge_parts,
    TallyMatching: act_tally_matching,
    EraseParts: act_erase_parts,
    JoinParts: act_join_parts,
    FingerprintPoints: act_fingerprint_points,
    ReadTable: act_read_table,
    CommitPoints: act_commit_points,
    FindDoubled: act_find_doubled,
    WritePoints: act_write_points,
    CompareParts: act_compare_parts,
    ReadBytes: lambda store, _client, step: store.read(step.path),
    PutNew: lambda store, _client, step: store.put_new(step.path, step.data),
    PutOver: lambda store, _client, step: store.put_over(step.path, step.data),
    ListFolder: lambda store, _client, step: store.names(step.path),
    RemoveFiles: lambda store, _client, step: store.remove(step.paths),
}


def actions_with(store: ArchiveStore) -> Mapping[type[Any], Callable[[InfluxClient, Any], Any]]:
    """All actions of the driver, and those that keep files in a store."""
    return {**ACTIONS, **{kind: partial(action, store) for kind, action in STORE_ACTIONS.items()}}
