"""``airflow dags test`` of one DAG, which reads the file of that DAG alone: 3.x would read all of the folder, twice."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dev.airflow_process import LOCKED_RETRIES, AirflowProcess

FILE = "DAG_FILE_UNDER_TEST"
DISCOVERY = "AIRFLOW__CORE__MIGHT_CONTAIN_DAG_CALLABLE"


def run_dag(
    airflow: AirflowProcess,
    dag_id: str,
    stop: str,
    *options: str,
    program: str | None = None,
    environment: Mapping[str, str] | None = None,
    retries: int = LOCKED_RETRIES,
) -> str:
    """Run all tasks of a DAG for the data interval that ends at an instant.

    :param options: more options of the command
    :param program: name of the DAG's file without its ending; default: the DAG's
    :param environment: variables for this command only
    :param retries: how often to try again while another process has the database; 0 for a DAG that fails
    :return: what it printed
    :raises ProcessFailed: when it ends with an error
    """
    (file,) = (str(path) for path in airflow.dags.rglob(f"{program or dag_id}.py"))
    own = {FILE: file, DISCOVERY: f"{__name__}.is_under_test"}
    path_option = "--dagfile-path" if airflow.is_three else "--subdir"
    arguments = ("dags", "test", path_option, file, *options, dag_id, stop)
    return airflow.cli(*arguments, environment={**(environment or {}), **own}, retries=retries)


def is_under_test(*, file_path: str, **_: object) -> bool:
    """Airflow asks this of each file of the folder (``[core] might_contain_dag_callable``)."""
    return file_path == os.environ[FILE]
