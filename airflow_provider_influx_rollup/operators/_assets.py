"""Stages that tell other DAGs which windows they have changed: by assets of Airflow, which are datasets on 2.11."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import Asset, AssetAlias, Context, has_partitions
from airflow_provider_influx_rollup.assets.uri import asset_of, is_own
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import is_plain
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators._base import AUTO, is_auto
from airflow_provider_influx_rollup.operators._ledger import LedgerStageOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import Duration, DurationLike
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.nesting import require_nested

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.announce.announce import Changed, Made
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
    from airflow_provider_influx_rollup.steps.step import Steps

#: Airflow takes this default over for mapped tasks, and adds it to the list of their inlets
NO_OUTLETS: list[Any] = []


class AssetStageOperator(LedgerStageOperator):
    """Base of the stages whose windows other DAGs can wait for.

    :param outlets: ``"auto"``, alone or in a list with others: an asset for each measurement that the stage writes. Its event
        says which windows are COMMITTED with other rows than were told of last; without such a window there is no event.
        Assets of ``measurement_asset`` in the list have events in the same way
    :param partitions: True: an event for each of these windows, with its start as the partition key. A length, such as
        ``"1d"``: an event for each day that holds one of them, as soon as all windows of the day are COMMITTED. Needs
        Airflow 3.3; such events start DAGs with a ``PartitionedAssetTimetable``, and no others
    :raises ConfigurationError: (when the DAG is parsed) when partitions are asked for that Airflow, or an asset whose name is
        known in a run only, cannot have
    :raises InvalidDuration: (when the DAG is parsed) when their length is none
    :raises WindowMisaligned: (when the DAG is parsed) when windows reach over partitions
    """

    #: what names the assets
    asset_fields: ClassVar[Sequence[str]] = ("influx_conn_id", "org")

    def __init__(
        self, *, outlets: Any = NO_OUTLETS, partitions: bool | DurationLike = False, **kwargs: Any
    ) -> None:
        self.tells = is_auto(outlets)
        given = list(outlets) if self.tells and outlets != AUTO else []
        kept = [one for one in given if one != AUTO] if self.tells else outlets
        super().__init__(outlets=kept, **kwargs)
        self.partitions = partitions
        #: the assets whose events this task decides about, by their URI
        self._own: dict[str, Asset] = {}
        #: of a partition; None: each window is one
        self.partition_length = None if isinstance(partitions, bool) else Duration.of(partitions).to_flux()

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:  # type: ignore[override, unused-ignore]
        """Airflow's own, with ``outlets="auto"`` as the list that Airflow needs of a mapped task."""
        if kwargs.get("outlets") == AUTO:
            kwargs["outlets"] = [AUTO]
        return super().partial(**kwargs)

    def asset_uris(self) -> Sequence[str]:
        """The assets of what the stage writes, as far as its own parameters name them."""
        raise NotImplementedError

    def made(self, results: Sequence[Mapping[str, Any]]) -> list[Made]:
        """Where the windows lie that the stage may have committed.

        :param results: what it has returned, one for each measurement
        """
        raise NotImplementedError

    def announcing(self, run: RunInfo) -> Steps[list[Changed]]:
        """Find what other DAGs are to hear of, and note that they have.

        :param run: who tells it
        """
        from airflow_provider_influx_rollup.lifecycle.announce.announce import announce

        made = list(dict.fromkeys(self.made(self.lineage_results)))
        return announce(self.receipts_bucket(), made, run)

    def uri_of(self, changed: Changed) -> str | None:
        """The asset of some windows; None: nothing knows what they are windows of.

        :param changed: what has changed
        """
        raise NotImplementedError

    def receipts_bucket(self) -> str:
        """The bucket of the receipts of its windows."""
        return str(self.ledger_bucket)

    def settle_outlets(self) -> None:
        """Name the assets, when all other parameters are there: Airflow shows them, and knows them before the first run.

        :raises ConfigurationError: when partitions are not possible
        """
        if self.partitions and not self.tells:
            what = f"partitions={self.partitions!r} has no effect without outlets='auto'"
            raise ConfigurationError(what, written="nothing", fix="give both, or neither")
        if not self.tells:
            return
        is_known = all(is_plain(getattr(self, name, None)) for name in self.asset_fields)
        uris = self.asset_uris() if is_known else []
        own = {one.uri: one for one in self.outlets if is_own(one)}
        others = [one for one in self.outlets if not is_own(one)]
        own |= {asset.uri: asset for asset in map(asset_of, uris) if asset.uri not in own}
        self.outlets, self._own = [*others, *own.values()], own
        if self.partitions:
            _require_partitions(bool(own))
            self._require_whole_windows()
        if not uris:
            # it emits on demand, for assets that nobody knows yet
            self.outlets.append(self._alias())

    def _require_whole_windows(self) -> None:
        """Refuse partitions that windows reach over, as far as the stage's own parameters tell.

        :raises WindowMisaligned: naming the first such partition
        """
        every, offset, timezone = (getattr(self, name, None) for name in ("every", "offset", "timezone"))
        if self.partition_length is None or every is None or not is_plain([every, offset, timezone]):
            return
        fine = Grid.of(every, offset or "0s", timezone or "UTC")
        shift = fine.offset if fine.is_calendar else "0s"
        require_nested(fine, Grid.of(self.partition_length, shift, fine.timezone))

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Tell of the windows that have changed: an outlet that the task has at its end is an event.

        :param context: Airflow's context
        :param result: not used: Airflow 3.3 does not give it to a method of the task
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        if self.tells:
            changed = [] if self.is_dry_run else self._changed(context)
            alias = self._alias()
            others = [
                one for one in self.outlets if one != alias and getattr(one, "uri", None) not in self._own
            ]
            self.outlets = [*others, *self._tell(context, changed)]
        super().post_execute(context, result)

    @failing_by_permanence()
    def _changed(self, context: Context) -> list[Changed]:
        from airflow_provider_influx_rollup.client.driver import drive

        return drive(self.announcing(run_info(context)), self.hook.get_conn(), self._report)

    @failing_by_permanence()
    def _tell(self, context: Context, changed: Iterable[Changed]) -> list[Any]:
        """Fill in the events.

        :return: the outlets that have one
        """
        from airflow_provider_influx_rollup.assets.events import event_extra, partition_keys
        from airflow_provider_influx_rollup.lineage.datasets import server_namespace

        settings = self.hook.settings
        told: dict[str, Any] = {}
        for one in changed:
            uri = self.uri_of(one)
            if uri is None or (self.partitions and not one.partitions):
                # the run that completes a partition tells of it
                continue
            extra = event_extra(one, server=server_namespace(settings.url), org=settings.org)
            self.log.info("Asset %s: %s windows of %s have changed", uri, extra["windows"], one.pipeline)
            asset = asset_of(uri, written="the windows are COMMITTED, and other DAGs hear nothing")
            if asset.uri not in self._own:
                told[""] = self._alias()
                context["outlet_events"][told[""]].add(asset, extra=extra)
                continue
            told[uri] = asset
            event = context["outlet_events"][asset]
            event.extra = extra
            if self.partitions:
                event.add_partitions(partition_keys(one.partitions))
        if not told:
            self.log.info(
                "No asset event: no window, or no whole partition, has other rows than were told of"
            )
        return list(told.values())

    def _alias(self) -> AssetAlias:
        return AssetAlias(f"influx_rollup:{self.dag_id}:{self.task_id}")


def _require_partitions(is_known: bool) -> None:
    if not has_partitions():
        what = "this Airflow has no partitions that a task can name"
        fix = "leave partitions out, or use Airflow 3.3 or later"
        raise ConfigurationError(what, written="nothing", fix=fix)
    if not is_known:
        what = "partitions need an asset whose name is known when the DAG is parsed"
        fix = "give connection, buckets and measurement as plain texts, or add measurement_asset(...) to outlets"
        raise ConfigurationError(what, written="nothing", fix=fix)
