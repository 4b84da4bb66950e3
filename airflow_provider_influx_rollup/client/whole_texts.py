"""Answers whose texts are whole: where a carriage return may be missing, the query is asked again in another way.

An answer without a quote has lost nothing, and nothing more is asked. Else the server is asked for rows with a carriage
return; only when there are any is the query run again with its texts in hexadecimal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from airflow_provider_influx_rollup.archive.annotated_csv import NOT_TEXT_FIX, Doubts
from airflow_provider_influx_rollup.client.hex_texts import TextsInHex
from airflow_provider_influx_rollup.exceptions import InfluxError, QueryFailed
from airflow_provider_influx_rollup.flux.at_signs import is_misread
from airflow_provider_influx_rollup.flux.whole_texts import HEX_PREFIX, Parted, hex_query, lost_text_query
from airflow_provider_influx_rollup.rejections import is_not_text

Result = TypeVar("Result")
# what is written between two of them may bring further columns
MAX_READS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTextQuery(Generic[Result]):
    """A query, and how it is run.

    :param flux: the query
    :param run: runs a query and decodes its answer
    :param has_lost_texts: runs ``lost_text_query`` and tells whether it has a row
    :param part: cuts the query; None when it must not run twice
    :param put_back: puts texts in hexadecimal back into an answer
    :param error_from_text: makes an error of the query
    :param keeps_bytes: whether bytes that are not UTF-8 become lone surrogates
    """

    flux: str
    run: Callable[[str], tuple[Result, Doubts]]
    has_lost_texts: Callable[[str], bool]
    part: Callable[[], Parted | None]
    put_back: Callable[[TextsInHex, Result], Result]
    error_from_text: Callable[[str], InfluxError]
    keeps_bytes: bool = False

    def whole(self) -> Result:
        """The answer, with its carriage returns.

        :raises InfluxError: as the queries do, or when the texts cannot be had
        """
        answer, doubts = self.run(self.flux)
        parted = self.part() if doubts else None
        if any(map(is_misread, doubts.columns)):
            doubts = Doubts(doubts.columns, has_names=True)  # the names in hexadecimal are read
        if parted is None:
            if doubts.has_names:
                raise self._unknown_texts(doubts)
            return answer
        if not doubts.has_names and not self.has_lost_texts(lost_text_query(parted, doubts.columns)):
            return answer
        return self._in_hex(parted, doubts)

    def _in_hex(self, parted: Parted, doubts: Doubts) -> Result:
        for _ in range(MAX_READS):
            texts = TextsInHex(doubts.has_names, self.keeps_bytes, self.error_from_text)
            query = hex_query(parted, doubts.columns, with_names=doubts.has_names)
            answer, found = self.run(query)
            columns = {texts.name(name) for name in found.columns if not name.startswith(HEX_PREFIX)}
            if columns <= doubts.columns and (doubts.has_names or not found.has_names):
                return self.put_back(texts, answer)
            doubts = Doubts(doubts.columns | columns, doubts.has_names or found.has_names)
        raise self._unknown_texts(doubts)

    def _unknown_texts(self, doubts: Doubts) -> InfluxError:
        names = ", ".join(sorted(doubts.columns)) or "names of columns"
        return self.error_from_text(
            f"texts of the answer may hold carriage returns, which the server's CSV loses ({names}), "
            "and the query cannot be asked for them in another way"
        )


def with_advice(error: InfluxError) -> InfluxError:
    """Say what helps against bytes that are not UTF-8, which no predicate of a delete can name."""
    if isinstance(error, QueryFailed) and is_not_text(error):
        error.fix = NOT_TEXT_FIX
    return error
