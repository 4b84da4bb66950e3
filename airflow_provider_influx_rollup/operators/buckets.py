"""Make buckets what is declared of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_bucket import Bucket
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.operators._options import plain_truth
from airflow_provider_influx_rollup.settings import read_settings

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.buckets.buckets import BucketsResult
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
    from airflow_provider_influx_rollup.steps.step import Steps

__all__ = ["Bucket", "EnsureBucketsOperator"]


class EnsureBucketsOperator(InfluxStageOperator):
    """Make buckets that are missing, and change those whose retention, shard groups, description or labels are others.

    All differences are found before the first change. A retention that would take points that are neither rolled up nor
    archived is refused, with the windows. Repeated, it does nothing. It works as a setup task: ``.as_setup()``.

    Returns ``{"changes": [{"bucket", "what", "before", "after"}], "unchanged", "state"}``; ``state`` is ``ensured``, or
    ``planned`` when a dry run has found changes.

    :param buckets: what is declared of each
    :param ledger_bucket: the ledger that knows what is rolled up and archived; default: ``[influx_rollup] ledger_bucket``
    :param dry_run: say what would be changed, and change nothing
    :param rollups: rollups that come after; nothing is changed when one of them would write what another pipeline of the
        ledger writes
    :raises ConfigurationError: (when the DAG is parsed) when there is no bucket, or a value is not possible
    """

    verb: ClassVar[str] = "buckets"
    template_fields: Sequence[str] = (*InfluxStageOperator.template_fields, "ledger_bucket")

    def __init__(
        self,
        *,
        buckets: Sequence[Bucket],
        ledger_bucket: str | None = None,
        dry_run: bool = False,
        rollups: Sequence[RollupSpec] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.buckets = buckets
        if not buckets or not all(isinstance(one, Bucket) for one in buckets):
            what = "buckets is no list of Bucket(...)"
            raise ConfigurationError(
                what, written="nothing", fix='give buckets=[Bucket("raw", retention="30d")]'
            )
        self.rollups = rollups
        self.ledger_bucket = ledger_bucket if ledger_bucket is not None else read_settings().ledger_bucket
        # BaseOperator has a method dry_run() that renders the templates
        self.is_dry_run = plain_truth("dry_run", dry_run)

    def execute(self, context: Context) -> dict[str, Any]:
        """Make and change the buckets.

        :param context: Airflow's context
        :return: what was changed
        """
        return self.run_verb(context, self._steps)

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """The buckets, as a whole."""
        return [Flow((), [Measurement(bucket.name) for bucket in self.buckets])]

    def _steps(self, now: Clock) -> Steps[BucketsResult]:
        from airflow_provider_influx_rollup.lifecycle.buckets.buckets import ensure_buckets
        from airflow_provider_influx_rollup.lifecycle.pipeline.own_targets import require_own_targets

        if self.rollups:
            yield from require_own_targets(self.rollups)
        return (yield from ensure_buckets(self.buckets, self.ledger_bucket, now, dry_run=self.is_dry_run))
