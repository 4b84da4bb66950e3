"""Author and reason of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Author and reason of a run, for the ledger.

    :param reason: why the windows are written, such as ``"reconcile: new points"``; empty for an ordinary run
    :param first_try: the first try since the task was cleared last; a try resumes where the earlier ones of them ended
    :param resumes_own_try: whether this very try may have begun before, such as in another triggerer
    :param began: what tells the run from an earlier one of the same run_id: when it began, and how often tasks of it
        were cleared; empty where nobody knows
    """

    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    try_number: int = 1
    map_index: int = -1
    reason: str = ""
    first_try: int = 1
    resumes_own_try: bool = False
    began: str = ""
