"""The error tree. Standard library only.

InfluxRollupError
├── ConfigurationError             permanent   what the DAG asks for cannot be done
│   ├── InvalidName                            a bucket, measurement, tag or field name InfluxDB refuses
│   ├── InvalidDuration                        not a Flux duration, or not usable here
│   ├── InvalidTimezone                        not in the zone database
│   ├── UnknownAggregate                       no such aggregate
│   ├── AggregateTypeMismatch                  such as the mean of a string field
│   ├── AggregateNotMergeable                  cannot be merged over series or windows
│   ├── AggregateOverflow                      an integer result that 64 bits cannot hold
│   ├── RuleInvalid                            a rule of a validation that is not possible
│   ├── TaskNotFound                           no such task, or not readable
│   └── TemplateInvalid                        a Flux template that cannot be rendered safely
├── WindowError                    permanent   the windows of a run cannot be decided
│   ├── WindowUndefined                        the run has no data interval
│   ├── WindowZeroLength                       the data interval is empty
│   ├── WindowMisaligned                       the grid does not tile the interval
│   ├── WindowFrozen                           the window can no longer be rebuilt
│   └── WindowNotDue               transient   stop + lateness has not passed
├── WindowsFailed                  transient   some windows failed, the others are done; permanent when all causes are
├── QueriesFailed                  transient   some queries of a batch failed, the others are answered; permanent when all causes are
├── ScriptError                    permanent   a user's own Flux script cannot run
│   ├── ScriptInvalid                          the server cannot compile it
│   ├── ScriptUnbounded                        a from() without a bounded range()
│   └── PlanNotPushedDown                      the plan reads raw points
├── TaskDrifted                    permanent   somebody has changed the task in InfluxDB by hand
├── TaskRunFailed                  transient   a run of the task ended without success
├── SourceIncomplete               transient   the source does not have what was expected yet
├── SourceChanging                 transient   the source kept changing while it was read
├── ReceiptMissing                 transient   an upstream stage has no COMMITTED receipt
├── PartialWrite                   transient   the target does not hold all that was written
├── SourceUnreadable               permanent   the bucket holds points that no query returns truthfully
├── ArchiveMissing                 permanent   there is no archive of the window
├── ArchiveMismatch                permanent   a file and its source, or its manifest, disagree
├── PurgeRefused                   permanent   the proof that nothing would be lost is not complete
├── RestoreConflict                permanent   the target holds other points than the archive
├── RestoreIncomplete              permanent   the archive has points that no write can bring back
├── StoreError                                 what the file system or object store said
│   ├── StoreUnavailable           transient   no answer, or no room
│   └── StoreForbidden             permanent   a right is missing, or something else is in the way
└── InfluxError                                what the server, or the way to it, said
    ├── InfluxUnavailable          transient   refused, reset, 5xx, timeout
    ├── InfluxOverloaded           transient   queue full, rate limit
    │   └── QueryLimitReached                  the query reached a limit; a smaller one may succeed
    │       ├── QueryTooLarge                  it needs more memory than the server gives it
    │       └── QueryTooSlow                   it ran longer than max_query_seconds
    ├── InfluxTruncated            transient   an answer that stops in the middle
    └── InfluxRejected             permanent   the request is wrong
        ├── InfluxUnauthorized                 wrong or revoked token
        ├── InfluxForbidden                    a permission is missing
        ├── BucketNotFound                     no such bucket, or not readable
        ├── OrgNotFound                        no such organisation
        ├── QueryFailed                        the query failed while it ran
        │   └── TooManyRows                    it returns more rows than max_query_rows
        └── WriteRejected                      points refused: type conflict, retention, bad line
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_influx_rollup.windows.interval import Interval


class InfluxRollupError(Exception):
    """Base of all errors of this package.

    :param what: what happened, one sentence without a full stop at its end
    :param window: the window it happened to
    :param written: what was and was not written, such as ``"nothing was written"``
    :param fix: what to do next
    """

    permanent: bool = False

    def __init__(
        self,
        what: str,
        *,
        window: Interval | None = None,
        written: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what = what
        self.window = window
        self.written = written
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        """The message: what happened, to which window, what was written, what to do."""
        facts = {"Window": self.window, "Written": self.written, "To do": self.fix}
        parts = [self.what, *(f"{name}: {fact}" for name, fact in facts.items() if fact)]
        return ". ".join(part.rstrip(". ") for part in parts) + "."


class ConfigurationError(InfluxRollupError):
    """The DAG asks for something that cannot be done."""

    permanent = True


class InvalidName(ConfigurationError):
    """A name that InfluxDB refuses."""


class InvalidDuration(ConfigurationError):
    """Not a Flux duration, or not usable here."""


class InvalidTimezone(ConfigurationError):
    """Not in the zone database."""


class UnknownAggregate(ConfigurationError):
    """No such aggregate."""


class AggregateTypeMismatch(ConfigurationError):
    """An aggregate that a field's type does not have, such as the mean of a string."""


class AggregateNotMergeable(ConfigurationError):
    """An aggregate that cannot be merged over series or windows."""


class AggregateOverflow(ConfigurationError):
    """An integer result that no 64 bits can hold.

    :param group: position of the first group of values that it is the result of
    """

    def __init__(
        self,
        what: str,
        *,
        group: int = 0,
        window: Interval | None = None,
        written: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, window=window, written=written, fix=fix)
        self.group = group


class RuleInvalid(ConfigurationError):
    """A rule of a validation that is not possible.

    :param parameter: which of its parameters is wrong, where one is
    """

    def __init__(
        self,
        what: str,
        *,
        parameter: str | None = None,
        window: Interval | None = None,
        written: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, window=window, written=written, fix=fix)
        self.parameter = parameter


class TemplateInvalid(ConfigurationError):
    """A Flux template that cannot be rendered, or that would paste a value into the script."""

    place: tuple[str, int] | None = None
    problem: str | None = None


class WindowError(InfluxRollupError):
    """The windows of a run cannot be decided or may not be touched."""

    permanent = True


class WindowUndefined(WindowError):
    """The run has no data interval, and nothing else names one."""


class WindowZeroLength(WindowError):
    """The data interval is empty."""


class WindowMisaligned(WindowError):
    """The grid does not tile the interval exactly."""


class WindowFrozen(WindowError):
    """The window can no longer be rebuilt from its source."""


class WindowNotDue(WindowError):
    """The window's stop + lateness has not passed yet."""

    permanent = False


class WindowsFailed(InfluxRollupError):
    """Some windows of a run failed; the others are COMMITTED.

    :param failed: each window with its error, in order; one cause that may pass is reason enough to try again
    """

    def __init__(
        self,
        what: str,
        *,
        failed: Sequence[tuple[Interval, InfluxRollupError]] = (),
        window: Interval | None = None,
        written: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, window=window, written=written, fix=fix)
        self.failed = list(failed)
        self.permanent = bool(self.failed) and all(error.permanent for _, error in self.failed)


class QueriesFailed(InfluxRollupError):
    """Some queries of a batch failed, or were not asked; the others are answered."""


class ScriptError(InfluxRollupError):
    """A user's own Flux script cannot run."""

    permanent = True


class ScriptInvalid(ScriptError):
    """The server cannot compile the script, or it cannot write what it makes."""


class ScriptUnbounded(ScriptError):
    """The script reads without a bounded range."""


class PlanNotPushedDown(ScriptError):
    """The script's plan reads raw points."""


class TaskDrifted(InfluxRollupError):
    """Somebody has changed the task by hand, or it is another's."""

    permanent = True


class TaskNotFound(ConfigurationError):
    """InfluxDB has no such task, or the token may not read it."""


class TaskRunFailed(InfluxRollupError):
    """A run of the task ended without success; another try asks InfluxDB for it again."""


class SourceIncomplete(InfluxRollupError):
    """The source does not have what was expected yet."""


class SourceChanging(InfluxRollupError):
    """The source kept changing while it was read."""


class ReceiptMissing(InfluxRollupError):
    """An upstream stage has no COMMITTED receipt of the window."""


class PartialWrite(InfluxRollupError):
    """The target does not hold all that was written."""


class ArchiveMismatch(InfluxRollupError):
    """A file and its source disagree."""

    permanent = True


class ArchiveMissing(InfluxRollupError):
    """There is no archive of the window."""

    permanent = True


class SourceUnreadable(InfluxRollupError):
    """The bucket holds points that no query returns truthfully."""

    permanent = True


class PurgeRefused(InfluxRollupError):
    """The proof that nothing would be lost is not complete."""

    permanent = True


class RestoreConflict(InfluxRollupError):
    """The target holds other points than the archive."""

    permanent = True


class RestoreIncomplete(InfluxRollupError):
    """All points are back but those that no write can make."""

    permanent = True


class StoreError(InfluxRollupError):
    """An error of the file system or object store."""


class StoreUnavailable(StoreError):
    """It did not answer, or has no room."""


class StoreForbidden(StoreError):
    """A right is missing, or something else is in the way."""

    permanent = True


class InfluxError(InfluxRollupError):
    """An error of the server, or of the connection to it.

    :param http_status: the status of the answer, if there was one
    """

    def __init__(
        self,
        what: str,
        *,
        http_status: int | None = None,
        window: Interval | None = None,
        written: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, window=window, written=written, fix=fix)
        self.http_status = http_status


class InfluxUnavailable(InfluxError):
    """Connection refused or reset, a 5xx answer, a timeout."""


class InfluxOverloaded(InfluxError):
    """Queue full, memory limit, rate limit: try again later."""


class QueryLimitReached(InfluxOverloaded):
    """A query reached a limit. The same one may succeed when the server is quiet, a smaller one at once."""


class QueryTooLarge(QueryLimitReached):
    """A query needs more memory than the server gives it."""


class QueryTooSlow(QueryLimitReached):
    """A query ran longer than ``max_query_seconds``, and was cancelled."""


class InfluxTruncated(InfluxError):
    """An answer that stops in the middle."""


class InfluxRejected(InfluxError):
    """The request is wrong: sending it again changes nothing."""

    permanent = True


class InfluxUnauthorized(InfluxRejected):
    """Wrong or revoked token."""


class InfluxForbidden(InfluxRejected):
    """The token lacks a permission."""


class BucketNotFound(InfluxRejected):
    """No such bucket, or the token may not read it."""


class OrgNotFound(InfluxRejected):
    """No such organisation."""


class QueryFailed(InfluxRejected):
    """The query failed while it ran."""


class TooManyRows(QueryFailed):
    """A query returns more rows than ``max_query_rows``; it was cancelled."""


class WriteRejected(InfluxRejected):
    """Points were refused: a type conflict, outside retention, a bad line."""
