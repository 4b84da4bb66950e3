"""Options of a run. None of them changes what is right for a window, so they are no part of the spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.windows.duration import Duration

FAIL_AT_END, FAIL_FAST = "fail_at_end", "fail_fast"
HEAL_MAX_WINDOWS = 1000
QUERY, NATIVE = "query", "native"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupOptions:
    """Healing, checkpoints, and what an error of one window does.

    :param heal: how far before the interval windows that are not COMMITTED are rolled up too, a Flux duration; None:
        none
    :param heal_max_windows: most windows that one run heals, the oldest first
    :param force: roll up FROZEN windows too, whatever is left of their points
    :param windows_per_block: most windows that are committed together; None: what takes some minutes
        at most, and no more values than the worker can hold
    :param on_window_error: ``"fail_at_end"``: the other windows are still rolled up; ``"fail_fast"``: the run ends
    :param execution: ``"query"`` asks InfluxDB and waits for the answer, ``"native"`` lets tasks of InfluxDB compute
    :raises ConfigurationError: when one is not possible
    """

    heal: str | None = None
    heal_max_windows: int = HEAL_MAX_WINDOWS
    force: bool = False
    windows_per_block: int | None = None
    on_window_error: str = FAIL_AT_END
    execution: str = QUERY

    def __post_init__(self) -> None:
        if self.heal is not None:
            Duration.of(self.heal)
        _require_positive("heal_max_windows", self.heal_max_windows)
        if self.windows_per_block is not None:
            _require_positive("windows_per_block", self.windows_per_block)
        _require_one_of("on_window_error", self.on_window_error, (FAIL_AT_END, FAIL_FAST))
        _require_one_of("execution", self.execution, (QUERY, NATIVE))

    @property
    def fails_fast(self) -> bool:
        """Whether the first error of a window ends the run."""
        return self.on_window_error == FAIL_FAST

    @property
    def is_native(self) -> bool:
        """Whether tasks of InfluxDB compute."""
        return self.execution == NATIVE

    def as_json(self) -> dict[str, Any]:
        """Plain values, for triggers."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RollupOptions:
        """Undo ``as_json``."""
        return cls(**values)


def texts_of(values: str | Sequence[str], name: str) -> tuple[str, ...]:
    """One text or several as a tuple.

    :param name: of the parameter, for messages
    :raises ConfigurationError: when it is neither
    """
    several = (values,) if isinstance(values, str) else values
    if not isinstance(several, list | tuple | set | frozenset) or not all(
        isinstance(v, str) for v in several
    ):
        what = f"{name}={values!r} is not possible"
        raise ConfigurationError(what, written="nothing", fix="give a text, or a list of texts")
    return tuple(several)


def _require_one_of(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        what = f"{name}={value!r} is not possible"
        raise ConfigurationError(what, written="nothing", fix=f"use one of {', '.join(choices)}")


def _require_positive(name: str, number: object) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        what = f"{name}={number!r} is not possible"
        raise ConfigurationError(what, written="nothing", fix="give a whole number, 1 or more")
