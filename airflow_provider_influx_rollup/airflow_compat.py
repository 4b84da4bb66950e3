"""Every import that differs between Airflow 2.11 and 3.x, and nothing else.

Those that are slow and that no DAG needs while it is parsed are in functions at the end.

Names of ``@task`` decorators are not here: ``airflow.decorators`` costs 0.4 s on 2.11, and only
``decorators/`` needs it.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

from airflow.providers.common.compat.connection import (
    get_async_connection,  # 2.11 has no BaseHook.aget_connection
)
from airflow.providers.common.compat.sdk import (  # type: ignore[attr-defined, unused-ignore]  # timezone
    AirflowException,  # 2.11: airflow.exceptions, 3.x: airflow.sdk.exceptions
    AirflowFailException,  # as AirflowException
    AirflowNotFoundException,  # as AirflowException
    AirflowSkipException,  # as AirflowException
    Asset,  # 2.11: airflow.datasets.Dataset, 3.x: airflow.sdk
    AssetAlias,  # 2.11: airflow.datasets.DatasetAlias, 3.x: airflow.sdk
    BaseHook,  # 2.11: airflow.hooks.base, 3.x: airflow.sdk
    BaseOperator,  # 2.11: airflow.models.baseoperator, 3.x: airflow.sdk
    BaseOperatorLink,  # 2.11: airflow.models.baseoperatorlink, 3.x: airflow.sdk
    BaseSensorOperator,  # 2.11: airflow.sensors.base, 3.x: airflow.sdk
    Connection,  # 2.11: an ORM row, 3.x: a plain class of airflow.sdk
    Context,  # 2.11: airflow.utils.context, 3.x: airflow.sdk
    PokeReturnValue,  # as BaseSensorOperator
    SkipMixin,  # 2.11: airflow.models.skipmixin, 3.x: airflow.sdk.bases.skipmixin
    Stats,  # 2.11: airflow.stats, 3.x: airflow.sdk.observability.stats
    TaskDeferred,  # as AirflowException
    TaskGroup,  # 2.11: airflow.utils.task_group, 3.x: airflow.sdk.definitions.taskgroup
    XCom,  # 2.11: reads the metadata database, 3.x: asks the supervisor
    conf,  # 2.11: airflow.configuration, 3.x: airflow.sdk.configuration
    mask_secret,  # 2.11: airflow.utils.log.secrets_masker, 3.x: airflow.sdk.log
    timezone,  # 2.11: airflow.utils.timezone, 3.x: airflow.sdk.timezone
)
from airflow.triggers.base import (
    BaseTrigger,  # one place on both so far; the SDK has none yet
    TriggerEvent,  # as BaseTrigger
)

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "Asset",
    "AssetAlias",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "BaseTrigger",
    "Connection",
    "Context",
    "PokeReturnValue",
    "SkipMixin",
    "Stats",
    "TaskDeferred",
    "TaskGroup",
    "TriggerEvent",
    "XCom",
    "conf",
    "get_async_connection",
    "has_partitions",
    "load_dags",
    "mask_secret",
    "object_storage_path",
    "render_template_to_string",
    "stored_connection",
    "stored_variable",
    "timezone",
    "was_rescheduled",
]


def render_template_to_string(template: Any, context: Any) -> str:
    """A template of Jinja with the context of a run, as Airflow renders a field.

    :param template: compiled
    :param context: Airflow's context
    """
    try:
        from airflow.sdk.definitions.context import render_template_to_string as render  # since 3.0
    except ImportError:
        from airflow.utils.helpers import render_template_to_string as render  # type: ignore[no-redef, attr-defined, unused-ignore]
    return str(render(template, context))


def has_partitions() -> bool:
    """Whether a task can say of which partitions its asset events are."""
    try:
        from airflow.sdk.execution_time.context import OutletEventAccessor
    except ImportError:
        return False
    # since 3.3
    return hasattr(OutletEventAccessor, "add_partitions")


def stored_connection(conn_id: str) -> Any:
    """A connection as Airflow's own command line finds it: in the environment, a secrets backend or the database.

    :param conn_id: its id
    :raises AirflowNotFoundException: when there is none
    """
    # BaseHook.get_connection of 3.x asks a supervisor, which only tasks have
    from airflow.models.connection import Connection as StoredConnection

    return StoredConnection.get_connection_from_secrets(conn_id)


def load_dags(dags_folder: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """DAGs by their id, and import errors by their file.

    :param dags_folder: a folder or a file; None takes Airflow's own
    """
    try:
        from airflow.dag_processing.dagbag import DagBag  # since 3.2
    except ImportError:
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef, attr-defined, unused-ignore]
    # since 3.2 the examples are a bundle of their own
    takes_examples = "include_examples" in signature(DagBag).parameters
    options: dict[str, Any] = {"include_examples": False} if takes_examples else {}
    bag = DagBag(dag_folder=dags_folder, **options)
    return dict(bag.dags), {str(path): str(text) for path, text in bag.import_errors.items()}


def object_storage_path(path: str, conn_id: str | None) -> Any:
    """A place on a file system that Airflow knows; ``.fs`` is fsspec's.

    :param path: a path or URL, with the connection's id as its user or without
    :param conn_id: a connection; None takes the one in the URL, or none
    """
    # 2.11: airflow.io.path, 3.x: airflow.sdk
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    # 3.x lets a conn_id of None win over the one in the URL
    return ObjectStoragePath(path, conn_id=conn_id) if conn_id else ObjectStoragePath(path)


def was_rescheduled(context: Any, first_try: int) -> bool:
    """Whether a sensor in reschedule mode has polled before in this wait, as another process.

    :param context: Airflow's context, which has the count on 3.x
    :param first_try: the first try since the task was cleared last
    """
    count = context.get("task_reschedule_count")
    if count is not None:
        return bool(count)
    try:
        # 2.11: what counts its timeout
        from airflow.sensors.base import _orig_start_date  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return False
    ti = context["ti"]
    place = {name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
    return _orig_start_date(**place, try_number=first_try) is not None


def stored_variable(key: str) -> str | None:
    """The text of a variable; None when there is none.

    :param key: its key
    """
    # 2.11: airflow.models, 3.x: airflow.sdk
    from airflow.providers.common.compat.sdk import Variable

    found = Variable.get(key, None)
    return None if found is None else str(found)
