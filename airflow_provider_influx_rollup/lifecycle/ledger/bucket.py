"""The bucket of the ledger: made when there is none, refused when it forgets."""

from __future__ import annotations

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, EnsureBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


def ensure_ledger(name: str, first: Interval | None) -> Steps[Bucket]:
    """Make the ledger's bucket unless it exists.

    :param first: the earliest window, for the message; None when no window is asked for
    :raises ConfigurationError: when it keeps its points for a time only
    """
    ledger: Bucket = yield from ask(EnsureBucket(name))
    require_ledger_kept(ledger, first)
    return ledger


def require_ledger_kept(ledger: Bucket | None, first: Interval | None) -> None:
    """Refuse a ledger that forgets.

    :param ledger: None when there is none yet
    :param first: the earliest window
    :raises ConfigurationError: naming the bucket
    """
    if ledger is not None and ledger.retention_seconds:
        what = f"bucket {ledger.name!r} keeps points for {ledger.retention_seconds} s only; a ledger keeps forever"
        fix = "set its retention to 0, or choose another ledger_bucket"
        raise ConfigurationError(what, window=first, written="nothing", fix=fix)
