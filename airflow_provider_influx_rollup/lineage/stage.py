"""What a task tells OpenLineage, when its provider is installed and asks."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.airflow_compat import AirflowException
from airflow_provider_influx_rollup.exceptions import InfluxError
from airflow_provider_influx_rollup.lineage.counted import Counted, Verdict
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
    from airflow_provider_influx_rollup.lineage.schema import Column
    from airflow_provider_influx_rollup.steps.influx import Report
    from airflow_provider_influx_rollup.windows.interval import Interval


logger = logging.getLogger(__name__)


class LineageTask:
    """Base of the tasks that tell OpenLineage what they read and write, how much, and for which windows.

    A subclass says what it reads and writes; the rest is in its results.
    """

    #: small JSON results, of each measurement that has ended well
    lineage_results: Sequence[Mapping[str, Any]] = ()

    @property
    @abstractmethod
    def hook(self) -> InfluxRollupHook:
        """The connection."""

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - for subclasses
        """From what the task makes what, for each of its measurements in order, as far as it is known.

        :param results: small JSON results of the task, none before it has run
        """
        return ()

    def counted(self, result: Mapping[str, Any]) -> Counted:  # noqa: ARG002 - for subclasses
        """How much went through the flow of a result.

        :param result: small JSON result of one measurement
        """
        return Counted()

    def verdicts(self, result: Mapping[str, Any]) -> Sequence[Verdict]:  # noqa: ARG002 - for subclasses
        """What was found of the first input.

        :param result: small JSON result of the task
        """
        return ()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """What the task has read and written. A dry run has written nothing.

        :param task_instance: Airflow's
        """
        from airflow_provider_influx_rollup.lineage.facets import StageFacts, lineage_of

        results = self.lineage_results
        is_dry_run = bool(getattr(self, "is_dry_run", False))
        flows = [Flow(flow.inputs) if is_dry_run else flow for flow in self.flows(results)]
        window = self._lineage_window(task_instance)
        # several measurements have as many results, unless some had no window or have failed
        is_known = len(flows) == len(results) > 0 and not is_dry_run
        settings = self.hook.settings
        facts = StageFacts(
            verb=str(getattr(self, "verb", "sensor")),
            url=settings.url,
            org=settings.org,
            flows=flows,
            counted=[self.counted(result) for result in results] if is_known else (),
            verdicts=self.verdicts(results[0]) if is_known else (),
            columns=self._columns(flows, window),
            window=window,
            results=results,
            is_dry_run=is_dry_run,
        )
        return lineage_of(facts)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """What the task was to read and write, and what of it was done.

        :param task_instance: Airflow's
        """
        return self.get_openlineage_facets_on_complete(task_instance)

    def _lineage_window(self, task_instance: Any) -> Mapping[str, str] | None:
        """The window of the results; where there are none, that of the run, if it names one."""
        windows = [result["window"] for result in self.lineage_results if result.get("window")]
        if windows:
            edges = {
                "start": min(one["start"] for one in windows),
                "stop": max(one["stop"] for one in windows),
            }
            return {name: str(edge) for name, edge in edges.items()}
        interval_of: Callable[[Any], Any] | None = getattr(self, "interval", None)
        if interval_of is None:
            return None
        try:
            interval: Interval = interval_of(task_instance.get_template_context())
        except AirflowException:
            # the task has failed by it, and said so
            return None
        return interval.as_json()

    def _columns(
        self, flows: Sequence[Flow], window: Mapping[str, str] | None
    ) -> dict[Measurement, Sequence[Column]]:
        """The columns of the measurements, in the window; none of those that cannot be read now."""
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lineage.schema import columns_of
        from airflow_provider_influx_rollup.windows.interval import Interval

        places = [place for flow in flows for place in (*flow.inputs, *flow.outputs)]
        measurements = {place for place in places if isinstance(place, Measurement) and place.measurement}
        found: dict[Measurement, Sequence[Column]] = {}
        if window is None:
            return found
        interval = Interval.from_json(window)
        for place in sorted(measurements, key=str):
            try:
                found[place] = drive(columns_of(place, interval), self.hook.get_conn(), self._not_told)
            except InfluxError as error:
                logger.info("OpenLineage gets no columns of %s: %s", place, error)
        return found

    def _not_told(self, report: Report) -> None:
        logger.debug("%s", report.message)
