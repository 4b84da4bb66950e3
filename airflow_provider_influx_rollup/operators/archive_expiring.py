"""Archive windows before retention deletes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators._options import truth, whole_number
from airflow_provider_influx_rollup.operators.archive import SourceArchiveOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.duration import Duration
    from airflow_provider_influx_rollup.windows.grid import Grid

MAX_WINDOWS = 100


class ArchiveExpiringOperator(SourceArchiveOperator):
    """Archive the windows that retention deletes soon and that no generation of the archive holds as they are.

    It looks at the bucket as it is now, whatever the data interval of the run. The windows that go first are archived
    first. Windows that cannot be archived do not stop the others; then the task fails and names them, with the instant at
    which retention deletes the first. Later runs try them again after the others. The task waits for nothing.

    Returns ``{"expiring", "archived", "left", "next_deletion", "windows", "left_windows", "rows_out", "path", "seconds",
    "pipeline"}``; a list of these for a list of measurements.

    :param every: length of a window of the archive, a Flux duration
    :param offset: shift of the archive's grid, a Flux duration
    :param timezone: IANA zone in which days, weeks, months and years of the grid begin
    :param lateness: how long after a window's stop its points may still come, a Flux duration; younger windows are left
        to the next run
    :param within: how long before retention deletes them windows are archived, a Flux duration
    :param max_windows: most windows that one run archives, and most that failed before which it tries again; the next run
        looks after the others
    :param force: archive what is left of windows that retention has begun to take
    """

    verb: ClassVar[str] = "archive_expiring"
    template_fields: Sequence[str] = (
        *SourceArchiveOperator.template_fields,
        "every",
        "offset",
        "timezone",
        "lateness",
        "within",
        "max_windows",
        "force",
    )

    def __init__(
        self,
        *,
        every: DurationLike,
        offset: DurationLike = "0s",
        timezone: str = "UTC",
        lateness: DurationLike = "0s",
        within: DurationLike = "7d",
        max_windows: int | str = MAX_WINDOWS,
        force: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.every = declared_duration(every)
        self.offset = declared_duration(offset)
        self.timezone = timezone
        self.lateness = declared_duration(lateness)
        self.within = declared_duration(within)
        self.max_windows = max_windows
        self.force = force

    def execute(self, context: Context) -> Any:
        """Archive what is about to be deleted.

        :param context: Airflow's context
        :return: what was found and archived
        """
        from airflow_provider_influx_rollup.windows.duration import Duration
        from airflow_provider_influx_rollup.windows.grid import Grid

        with failing_by_permanence():
            grid = Grid.of(self.every, self.offset, self.timezone)
            within = Duration.of(self.within)
            most = whole_number("max_windows", self.max_windows)
            if within.months or most < 1:
                what = f"within={self.within!r} with max_windows={most} is not possible"
                raise ConfigurationError(
                    what, written="nothing", fix="give a length such as 7d, and 1 window or more"
                )
            specs = self.specs(lateness=flux_text(self.lateness), force=truth("force", self.force))
        return self.run_each(
            context, [partial(self._steps, context, spec, grid, within, most) for spec in specs]
        )

    def _steps(
        self,
        context: Context,
        spec: ArchiveSpec,
        grid: Grid,
        within: Duration,
        most: int,
        now: Callable[[], datetime],
    ) -> Steps[Any]:
        from airflow_provider_influx_rollup.lifecycle.archive.expiring import archive_expiring
        from airflow_provider_influx_rollup.stores.versions import software_versions

        versions = software_versions(self.hook.get_conn())
        run = run_info(context)
        return archive_expiring(spec, grid, within, most, run, now, versions, dry_run=self.is_dry_run)
