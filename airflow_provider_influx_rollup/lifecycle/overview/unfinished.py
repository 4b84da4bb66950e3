"""Receipts of windows that are not done: which runs wanted them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.overview.judge import PipelineWindows
from airflow_provider_influx_rollup.lifecycle.overview.page_state import PageState
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, from_ns

#: stretches of windows that are asked about, the newest ones
MAX_STRETCHES = 20


def unfinished(found: PipelineWindows) -> Steps[list[Receipt]]:
    """The receipts of windows that are WRITING or PLANNED; of many stretches of them, those of the newest."""
    import numpy as np

    numbers = found.where(PageState.WRITING, PageState.PLANNED)
    if not len(numbers):
        return []
    stretches = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)[-MAX_STRETCHES:]
    asked = [
        ReceiptsOf(
            found.spec.ledger_bucket,
            found.spec.pipeline_name,
            ROLLUP,
            Interval(from_ns(int(found.starts[some[0]])), from_ns(int(found.starts[some[-1]])) + MICROSECOND),
        )
        for some in stretches
    ]
    answers = yield from gather(*asked)
    return [receipt for some in answers for receipt in some if not receipt.is_committed]


def failed_windows(
    found: PipelineWindows, receipts: Sequence[Receipt], failed: Collection[tuple[str, str, str, int]]
) -> PipelineWindows:
    """The windows, with those as FAILED whose run has failed.

    :param receipts: of windows that are not done
    :param failed: DAG, run, task and map index of task instances
    """
    import numpy as np

    starts = [
        one.window.start_ns
        for one in receipts
        if (one.dag_id, one.run_id, one.task_id, one.map_index) in failed
    ]
    numbers = np.flatnonzero(np.isin(found.starts, starts))
    return found.marked(numbers, PageState.FAILED) if len(numbers) else found
