"""Queries as values: what is asked, the Flux that asks it, and what the answer means.

A verb asks ``yield from ask(ReceiptsOf(...))``. The client renders the query, sends it, and decodes the answer by ``read``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from airflow_provider_influx_rollup.step import Answer, Step

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.annotated_rows import Row

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class FluxText(ABC):
    """Something with a text in Flux."""

    __slots__ = ()

    @abstractmethod
    def flux(self) -> str:
        """The Flux that is sent."""


class RowsQuery(FluxText, Step[Answer]):
    """A query with a small answer, which is read as rows."""

    __slots__ = ()
    #: of its yield when it is asked together with others
    result: ClassVar[str] = ""
    #: those that its Flux names itself
    yields: ClassVar[tuple[str, ...]] = ()

    @property
    def as_sent(self) -> bool:
        """Whether the answer has none of the carriage returns that the server's CSV loses."""
        return False

    @property
    def keeps_bytes(self) -> bool:
        """Whether bytes that are not UTF-8 become lone surrogates; else they are an error."""
        return False

    @abstractmethod
    def read(self, rows: Sequence[Row]) -> Answer:
        """Decode the rows of the answer."""


class LedgerQuery(RowsQuery[Answer]):
    """A query of records that this package writes."""

    __slots__ = ()

    @property
    def as_sent(self) -> bool:
        """Records have no carriage returns."""
        return True


class ArrowQuery(FluxText, Step[Answer]):
    """A query with an answer of any size, which is read as Arrow tables, one for each distinct schema."""

    __slots__ = ()

    @abstractmethod
    def read(self, tables: list[pa.Table]) -> Answer:
        """Decode the tables of the answer."""


class DigestQuery(FluxText, Step[str]):
    """A query whose answer is a digest of its columns and records, in their order, as text.

    Equal digests mean equal answers. Nothing of the answer is kept, whatever its size.
    """

    __slots__ = ()


class PointsQuery(FluxText):
    """A query of raw points that a step of a store streams: rows with ``_time``, ``_field``, ``_value`` and tags."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Together(RowsQuery[Answer]):
    """Several queries as one script: for answers as small as a ledger's, most of the time goes to each request.

    :param parts: the queries, each with a ``result`` of its own
    :raises ValueError: when one has none, or two have the same
    """

    parts: tuple[RowsQuery[Any], ...]

    def __post_init__(self) -> None:
        results = [name for part in self.parts for name in _yields_of(part)]
        if "" in results or len(set(results)) < len(results):
            message = f"the results {results} do not tell the queries apart"
            raise ValueError(message)

    @property
    def as_sent(self) -> bool:
        """Whether all parts are."""
        return all(part.as_sent for part in self.parts)

    def flux(self) -> str:
        """The Flux that is sent."""
        return "\n\n".join(
            part.flux() if part.yields else f'{part.flux()}\n  |> yield(name: "{part.result}")'
            for part in self.parts
        )

    def read(self, rows: Sequence[Row]) -> Answer:
        """The answers of the parts, in order."""
        answers: Any = tuple(part.read(_rows_of(_yields_of(part), rows)) for part in self.parts)
        return answers  # type: ignore[no-any-return]


def _rows_of(yields: tuple[str, ...], rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.yield_name in yields]


def _yields_of(part: RowsQuery[Any]) -> tuple[str, ...]:
    return part.yields or (part.result,)


@overload
def together(first: RowsQuery[A], second: RowsQuery[B], /) -> Together[tuple[A, B]]: ...
@overload
def together(
    first: RowsQuery[A], second: RowsQuery[B], third: RowsQuery[C], /
) -> Together[tuple[A, B, C]]: ...
@overload
def together(
    first: RowsQuery[A], second: RowsQuery[B], third: RowsQuery[C], fourth: RowsQuery[D], /
) -> Together[tuple[A, B, C, D]]: ...
def together(*parts: RowsQuery[Any]) -> Together[Any]:
    """Ask several queries in one request; the answer has theirs, in order."""
    return Together(parts)
