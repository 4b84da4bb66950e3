"""The ``[influx_rollup]`` section of airflow.cfg."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.airflow_compat import conf
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET

SECTION = "influx_rollup"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupSettings:
    """Settings of an Airflow installation for all connections and stages, with their defaults.

    :param ledger_bucket: the bucket of the receipts
    :param connect_timeout_seconds: how long opening a connection may take
    :param read_timeout_seconds: how long the server may stay silent during a request
    :param pool_size: connections that one process keeps open to one server
    :param deadline_seconds: how long one request is tried again inside a task
    :param max_rows_per_read: the most rows that one read brings into the worker
    :param max_query_seconds: longest time that one query may run; 0: any
    :param max_query_rows: most rows that a query of a user may return; 0: any
    :param profile_queries: whether Flux's profiler tells how much memory each query took
    """

    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 300.0
    pool_size: int = 8
    deadline_seconds: float = 60.0
    max_rows_per_read: int = 5_000_000
    max_query_seconds: float = 0.0
    max_query_rows: int = 1_000_000
    profile_queries: bool = False


_DEFAULTS = RollupSettings()


def read_settings() -> RollupSettings:
    """The section as it is now.

    :raises AirflowConfigException: when a value is not of its type
    """
    return RollupSettings(
        ledger_bucket=conf.get(SECTION, "ledger_bucket", fallback=_DEFAULTS.ledger_bucket),
        connect_timeout_seconds=_number("connect_timeout_seconds", _DEFAULTS.connect_timeout_seconds),
        read_timeout_seconds=_number("read_timeout_seconds", _DEFAULTS.read_timeout_seconds),
        pool_size=conf.getint(SECTION, "pool_size", fallback=_DEFAULTS.pool_size),
        deadline_seconds=_number("deadline_seconds", _DEFAULTS.deadline_seconds),
        max_rows_per_read=conf.getint(SECTION, "max_rows_per_read", fallback=_DEFAULTS.max_rows_per_read),
        max_query_seconds=_number("max_query_seconds", _DEFAULTS.max_query_seconds),
        max_query_rows=conf.getint(SECTION, "max_query_rows", fallback=_DEFAULTS.max_query_rows),
        profile_queries=conf.getboolean(SECTION, "profile_queries", fallback=_DEFAULTS.profile_queries),
    )


def default_deferrable() -> bool:
    """``[influx_rollup] default_deferrable``; where it is not set, ``[operators] default_deferrable``."""
    if conf.get(SECTION, "default_deferrable", fallback=None):
        return bool(conf.getboolean(SECTION, "default_deferrable"))
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def chosen_environment() -> str | None:
    """``[influx_rollup] environment``: whose values the templates of this installation take."""
    return conf.get(SECTION, "environment", fallback=None) or None


def page_connections() -> list[str]:
    """``[influx_rollup] page_connections``: ids that the windows page offers; empty: it finds them itself."""
    text = conf.get(SECTION, "page_connections", fallback=None) or ""
    return [name.strip() for name in text.split(",") if name.strip()]


def takes_bare_words() -> bool:
    """Whether ``{{ x }}`` in Flux may put a single word: ``[influx_rollup] bare_flux_values = words``.

    :raises ConfigurationError: when the option is neither ``refuse`` nor ``words``
    """
    value = conf.get(SECTION, "bare_flux_values", fallback="refuse")
    if value not in ("refuse", "words"):
        what = f"[influx_rollup] bare_flux_values = {value!r} is not possible"
        raise ConfigurationError(what, written="nothing", fix="set it to refuse or words")
    return bool(value == "words")


def _number(option: str, default: float) -> float:
    return float(conf.getfloat(SECTION, option, fallback=default))
