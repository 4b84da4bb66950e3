"""Which cuts of a run can be told apart, so that a test makes a scene for each of those alone.

A run that dies before a step which only reads leaves what one leaves that dies after it. A point that comes before a step
which does not touch its bucket is there for the same steps as one that comes after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from airflow_provider_influx_rollup.steps.influx import Gather, Query
from tests.scenes.sent_flux import flux_of, kind_of

#: kinds of steps that leave everything as it is; EnsureBucket makes a ledger
READS = frozenset(
    {
        *("Query", "FindBucket", "CheckWritable", "ShowKeys", "Report", "Progressed"),
        *("ReadBytes", "ListFolder", "FingerprintSource", "FingerprintPart", "FingerprintPoints"),
        *("CompareParts", "FindDoubled", "TallyMatching"),
    }
)


class Stepping(Protocol):
    """A run whose steps are acted out one by one."""

    @property
    def pending(self) -> Any:
        """The next step; None when the run has ended."""

    def advance(self) -> object:
        """Act it out."""


def may_change(step: Any) -> bool:
    """Whether a step may leave anything otherwise than it was."""
    if isinstance(step, Gather):
        return any(map(may_change, step.steps))
    # what a user's script does is not known
    return isinstance(step, Query) or kind_of(step) not in READS


def touches(step: Any, bucket: str) -> bool:
    """Whether a step may read or change a bucket: whether it names it, in a field or in its Flux."""
    return f"'{bucket}'" in repr(step) or f'"{bucket}"' in flux_of(step)


def cut(run: Stepping, counts: Callable[[Any], bool], number: int) -> bool:
    """Go on until so many of the steps that count are done, and another one of them is next or none is left.

    :return: False when there are fewer
    """
    done = 0
    while run.pending is not None:
        if counts(run.pending):
            if done == number:
                return True
            done += 1
        run.advance()
    return done == number
