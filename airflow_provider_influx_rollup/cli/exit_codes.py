"""Exit codes of the commands."""

from __future__ import annotations

from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxError,
    InfluxRollupError,
    StoreError,
    WindowError,
    WindowFrozen,
)

RIGHT, WRONG, UNUSABLE = 0, 1, 2
INTERRUPTED = 130
EXPLANATION = """\
exit codes:
  0  all is right
  1  something is wrong, dirty, missing or frozen
  2  the call or the connection is wrong
"""


def code_of(is_right: bool) -> int:
    """The exit code of an answer."""
    return RIGHT if is_right else WRONG


def code_of_error(error: InfluxRollupError) -> int:
    """The exit code of an error."""
    is_of_call = isinstance(error, ConfigurationError | WindowError | InfluxError | StoreError)
    return UNUSABLE if is_of_call and not isinstance(error, WindowFrozen) else WRONG
