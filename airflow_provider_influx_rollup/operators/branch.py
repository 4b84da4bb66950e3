"""Let a query's answer decide which tasks run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.branch import BranchMixIn

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context


class _DecidingOperator(FluxQueryOperator, BranchMixIn):
    """Follows some of the tasks directly after this one and skips the others."""

    #: Airflow 3 looks at this when a task after the branch is cleared
    inherits_from_skipmixin = True
    verb: ClassVar[str] = "branch"
    ui_color = "#f8f4e4"

    @abstractmethod
    def followed(self, *, is_true: bool) -> str | Iterable[str] | None:
        """Ids of the tasks or groups to follow; None for none.

        :param is_true: the answer
        """

    def react(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Follow what the answer says.

        :param context: Airflow's context
        :param result: what the query gave
        """
        self.keep_result(context, result)
        self.do_branch(context, self.followed(is_true=result["is_true"]))
        return result


class FluxBranchOperator(_DecidingOperator):
    """Follow one of two branches, as a Flux query says.

    The answer is true when any row has a ``_value`` that is true, a number but 0 and NaN, or a text that is not empty; a
    row without the column ``_value`` says yes by being there. No row at all is false. Returns what ``FluxQueryOperator``
    returns.

    :param follow_task_ids_if_true: ids of tasks or groups directly after this task; default: none, all are skipped
    :param follow_task_ids_if_false: the same for when the answer is false
    :raises ConfigurationError: (when the DAG is parsed) when there is nothing to follow in either case
    """

    template_fields: Sequence[str] = (
        *FluxQueryOperator.template_fields,
        "follow_task_ids_if_true",
        "follow_task_ids_if_false",
    )

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Sequence[str] | None = None,
        follow_task_ids_if_false: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not follow_task_ids_if_true and not follow_task_ids_if_false:
            what = "FluxBranchOperator has no task to follow"
            fix = "give follow_task_ids_if_true or follow_task_ids_if_false, or use FluxShortCircuitOperator"
            raise ConfigurationError(what, fix=fix)
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false

    def followed(self, *, is_true: bool) -> str | Iterable[str] | None:
        """Ids of the tasks or groups of one of the branches.

        :param is_true: the answer
        """
        return (self.follow_task_ids_if_true if is_true else self.follow_task_ids_if_false) or None


class FluxShortCircuitOperator(_DecidingOperator):
    """Continue when a Flux query says so; else skip all tasks directly after this one.

    The answer is that of ``FluxBranchOperator``. Tasks further on are skipped or not by their own trigger rules, as after
    a branch.
    """

    def react(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Continue, or skip what comes after.

        :param context: Airflow's context
        :param result: what the query gave
        """
        return result if result["is_true"] else super().react(context, result)

    def followed(self, *, is_true: bool) -> None:  # noqa: ARG002 - asked only when it is false
        """Nothing.

        :param is_true: not used
        """
        return
