"""What a task emits, when an operator runs without a scheduler."""

from __future__ import annotations

from itertools import count
from typing import Any

from airflow_provider_influx_rollup.airflow_compat import Asset, AssetAlias
from tests.scenes.task_scene import TaskInstance, make_context

try:
    from airflow.sdk.execution_time.context import OutletEventAccessors
except ImportError:  # 2.11
    from airflow.utils.context import OutletEventAccessors  # type: ignore[no-redef, attr-defined, unused-ignore]

__all__ = ["OutletEventAccessors", "run"]

RUNS = count()


def run(task: Any, **of_task: Any) -> dict[str, Any]:
    """Run a task as Airflow does; what it emits by URI: the extra, and the keys."""
    task = task.prepare_for_execution()
    facts = {"run_id": f"run-{next(RUNS)}", "task_id": task.task_id, **of_task}
    context = make_context(outlet_events=OutletEventAccessors())
    context["ti"] = TaskInstance(**facts)
    task.execute(context)
    # 3.3 does not give the result to a method
    task.post_execute(context)
    emitted: dict[str, Any] = {}
    for outlet in task.outlets:
        event = context["outlet_events"][outlet]
        if isinstance(outlet, Asset):
            emitted[outlet.uri] = {**event.extra, "keys": sorted(getattr(event, "partition_keys", ()))}
            continue
        assert isinstance(outlet, AssetAlias)
        for one in getattr(event, "asset_alias_events", None) or event.dataset_alias_events:
            # 2.11 has plain mappings
            is_plain = isinstance(one, dict)
            name = one["dest_dataset_uri"] if is_plain else one.dest_asset_key.uri
            emitted[name] = {**(one["extra"] if is_plain else one.extra), "by_alias": True}
    return emitted
