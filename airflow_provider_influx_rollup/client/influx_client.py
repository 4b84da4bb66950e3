"""The client: InfluxDB's API in our words, with retries. Safe to use from several threads."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_influx_rollup.archive.annotated_csv import BlockSplitter, Doubts
from airflow_provider_influx_rollup.archive.annotated_digest import DigestDecoder
from airflow_provider_influx_rollup.archive.annotated_rows import Row, RowDecoder
from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.client.answers import Health, bucket_of
from airflow_provider_influx_rollup.client.batches import split_lines
from airflow_provider_influx_rollup.client.bucket_admin import BucketAdmin
from airflow_provider_influx_rollup.client.hex_texts import (
    DoubtfulDecoder,
    LostTextsThere,
    TablesDecoder,
    TextsInHex,
    WithDoubts,
)
from airflow_provider_influx_rollup.client.influxql import InfluxQL
from airflow_provider_influx_rollup.client.other_servers import error_of_health, error_of_version
from airflow_provider_influx_rollup.client.profiler import profiled_request, without_profile
from airflow_provider_influx_rollup.client.requests import Request
from airflow_provider_influx_rollup.client.responses import error_of_text
from airflow_provider_influx_rollup.client.retry import call_with_retries
from airflow_provider_influx_rollup.client.task_api import TaskApi
from airflow_provider_influx_rollup.client.token_admin import TokenAdmin
from airflow_provider_influx_rollup.client.transport import Transport
from airflow_provider_influx_rollup.client.whole_texts import WholeTextQuery, with_advice
from airflow_provider_influx_rollup.exceptions import (
    InfluxError,
    InfluxForbidden,
    InfluxRejected,
)
from airflow_provider_influx_rollup.flux.delete_predicate import influxql_delete, needs_influxql
from airflow_provider_influx_rollup.flux.source_schema import ALL_TYPES, OF_EVERY_SOURCE, KeysOfMeasurement
from airflow_provider_influx_rollup.flux.whole_texts import Parted, part_query, part_script
from airflow_provider_influx_rollup.lint.depth import refuse_too_deep
from airflow_provider_influx_rollup.rejections import is_taken
from airflow_provider_influx_rollup.steps.influx import Bucket, SourceKeys

if TYPE_CHECKING:
    from types import TracebackType

    import pyarrow as pa

    from airflow_provider_influx_rollup.client.settings import ClientSettings
    from airflow_provider_influx_rollup.windows.interval import Interval

Result = TypeVar("Result")
ResultOfClose = TypeVar("ResultOfClose", covariant=True)

# small, so that memory stays flat; large, so that the work per batch does not count
STREAM_BATCH_BYTES = 8 << 20


class Decoder(Protocol[ResultOfClose]):
    """Takes an answer in pieces; ``close`` checks that it is complete."""

    def feed(self, data: bytes) -> object:
        """Take more bytes."""

    def close(self) -> ResultOfClose:
        """Check the end and return what was decoded."""


class InfluxClient:
    """A client of one server and organisation. Use it as a context manager, or call ``close``.

    Each method tries again after errors that may pass, under ``settings.deadline_seconds``, and raises the error of the
    last try: an ``InfluxError``. No method returns a part of an answer.

    :param settings: where the server is and how to talk to it
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._transport = Transport(settings)
        self._influxql = InfluxQL(settings.org, self._json)
        self.buckets = BucketAdmin(settings.org, self._json, self._org_id)
        self.tokens = TokenAdmin(self._json, self._org_id)
        self.tasks = TaskApi(settings.org, self._json, self._send)

    def __enter__(self) -> InfluxClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def now(self) -> datetime:
        """The time now, aware UTC: the server's when this machine's clock is off; it is asked when it has told none yet."""
        return self._transport.clock.after_asking(self.health)

    def query(
        self, flux: str, *, extern: Mapping[str, Any] | None = None, now: datetime | None = None
    ) -> list[dict[str, Any]]:
        """Run Flux and return its rows as dicts, for people: with the yield as ``result`` and the table's number as ``table``.

        A column of the answer that is called so, such as a tag, takes their place; ``query_rows`` tells them apart.

        :param extern: a Flux AST file whose options are bound before the query
        :param now: aware time of ``now()`` in the query
        """
        return [row.with_yield() for row in self.query_rows(flux, extern=extern, now=now)]

    def query_rows(
        self,
        flux: str,
        *,
        extern: Mapping[str, Any] | None = None,
        now: datetime | None = None,
        as_sent: bool = False,
        keeps_bytes: bool = False,
        is_own: bool = False,
    ) -> list[Row]:
        """Run Flux and return its rows by column; each knows its yield.

        Times are aware UTC datetimes; digits finer than a microsecond are cut off (``query_arrow`` keeps them). An
        empty string cell is ``""``, which may also be a missing string; other missing values are None.

        :raises TooManyRows: when a query that is not this package's own has more rows than ``max_query_rows``
        :param extern: a Flux AST file whose options are bound before the query
        :param now: aware time of ``now()`` in the query
        :param as_sent: texts come without the carriage returns that the server's CSV loses, and none is looked for
        :param keeps_bytes: whether bytes that are not UTF-8 become lone surrogates; else they are an error
        :param is_own: a query of this package, whose form is known; any other is parsed before it may run again
        """

        def decoder(make_error: Callable[[str], InfluxError]) -> RowDecoder:
            most = None if is_own or as_sent else self._settings.max_query_rows
            return RowDecoder(make_error, keeps_bytes=keeps_bytes, is_final=as_sent, max_rows=most)

        if as_sent:
            request = requests.query_request(self._settings.org, flux, extern=extern, now=now)
            return self._decoded(request, decoder)
        return self._whole(
            flux, extern, now, decoder, TextsInHex.rows, keeps_bytes=keeps_bytes, is_own=is_own
        )

    def query_arrow(
        self,
        flux: str,
        *,
        extern: Mapping[str, Any] | None = None,
        now: datetime | None = None,
        is_own: bool = False,
    ) -> list[pa.Table]:
        """Run Flux and return Arrow tables, one per yield and schema; the yield is in ``schema.metadata[b"result"]``.

        :param extern: a Flux AST file whose options are bound before the query
        :param now: aware time of ``now()`` in the query
        """
        return self._whole(flux, extern, now, TablesDecoder, TextsInHex.tables, is_own=is_own)

    def stream_arrow(self, flux: str) -> Generator[pa.Table, None, None]:
        """Run Flux once and hand its rows out as they come, in flat memory.

        What came is complete only when the iterator ends by itself; ``retrying`` is for those who begin again.

        :raises InfluxError: at any moment
        """
        from airflow_provider_influx_rollup.archive.annotated_arrow import ArrowDecoder
        from airflow_provider_influx_rollup.client.read_ahead import read_ahead

        request = requests.query_request(self._settings.org, flux)
        decoder = ArrowDecoder(lambda text: error_of_text(request, text), batch_bytes=STREAM_BATCH_BYTES)
        with read_ahead(self._transport.stream(request, is_bulk=True)) as pieces:
            for piece in pieces:
                yield from decoder.feed(piece)
        yield from decoder.close()

    def retrying(self, attempt: Callable[[], Result]) -> Result:
        """Try something again after errors of the server that may pass, like every method here does.

        :param attempt: must be safe to repeat
        """
        return self._retried(attempt)

    def query_digest(
        self, flux: str, *, extern: Mapping[str, Any] | None = None, now: datetime | None = None
    ) -> str:
        """Run Flux and return a digest of the whole answer: equal digests mean equal columns and records, in one order.

        :param extern: a Flux AST file whose options are bound before the query
        :param now: aware time of ``now()`` in the query
        """
        return self._whole(flux, extern, now, DigestDecoder, TextsInHex.digest, is_own=extern is None)

    def execute(
        self, flux: str, *, extern: Mapping[str, Any] | None = None, now: datetime | None = None
    ) -> None:
        """Run Flux for what it does; its rows stay in the server.

        :param extern: a Flux AST file whose options are bound before the query
        :param now: aware time of ``now()`` in the query
        """
        request = requests.query_request(self._settings.org, flux, extern=extern, now=now, keeps_rows=False)
        self._decoded(request, lambda make_error: BlockSplitter(make_error, may_be_empty=True))

    def source_keys(self, bucket: str, measurement: str) -> SourceKeys:
        """List the tag keys of a measurement, and its fields with every type that they ever had.

        Where the types cannot be listed, each field is given all of them.

        :raises BucketNotFound: when there is no such bucket
        """
        query = KeysOfMeasurement(bucket, measurement)
        tags, names = query.read(self.query_rows(query.flux(), is_own=True))
        for name in OF_EVERY_SOURCE:
            if name in tags:  # some are not, where there are no points
                tags.remove(name)
        fields = dict.fromkeys(names, ALL_TYPES)
        return SourceKeys(
            tuple(sorted(set(tags))), {**fields, **self._influxql.field_types(bucket, measurement)}
        )

    def parse_script(self, flux: str) -> dict[str, Any]:
        """Parse a Flux script on the server; returns its AST, a Flux ``Package``."""
        refuse_too_deep(flux)
        answer = self._json(requests.ast_request(self._settings.org, flux))
        ast: dict[str, Any] = answer["ast"]
        return ast

    def write_lines(self, bucket: str, lines: Iterable[str]) -> None:
        """Write line protocol, with times in nanoseconds, in batches of at most 10,000 lines or 5 MB.

        :param lines: without a newline at their end
        :raises WriteRejected: when points were refused; ``written`` tells what of all lines was written
        """
        line_count = 0
        for batch in split_lines(lines):
            request = requests.write_request(
                self._settings.org, bucket, batch.payload, compress=self._settings.compresses
            )
            try:
                self._send(request)
            except InfluxError as error:
                error.written = (
                    f"{line_count} lines of earlier batches; of this one: {error.written or 'nothing'}"
                )
                raise
            line_count += batch.line_count

    def write_payload(self, bucket: str, payload: bytes) -> None:
        """Write one batch of line protocol, with times in nanoseconds.

        :param payload: at most some 10,000 lines
        :raises WriteRejected: when points were refused
        """
        compress = self._settings.compresses
        self._send(requests.write_request(self._settings.org, bucket, payload, compress=compress))

    def check_writable(self, bucket: str) -> None:
        """Ask whether the token may write to a bucket: the server checks that before it looks at the points.

        :raises InfluxForbidden: when the token may not write there
        :raises BucketNotFound: when there is no such bucket
        """
        self._send(requests.write_request(self._settings.org, bucket, b"", compress=False))

    def delete(self, bucket: str, interval: Interval, predicate: str, lacking: Sequence[str] = ()) -> None:
        """Delete the points of the half-open ``[start, stop)``. The server does not tell how many it deleted.

        :param predicate: such as ``_measurement="m" AND site="a"``; it must name a measurement
        :param lacking: keys of tags that a series must not have
        """
        if lacking or needs_influxql(predicate):
            self._influxql.delete(bucket, influxql_delete(predicate, interval, lacking))
            return
        self._send(requests.delete_request(self._settings.org, bucket, interval, predicate))

    def find_bucket(self, name: str) -> Bucket | None:
        """Look a bucket up; None when it does not exist or the token may not read it."""
        item = self.buckets.item(name)
        return None if item is None else bucket_of(item)

    def ensure_bucket(self, name: str, retention_seconds: int = 0) -> Bucket:
        """Create a bucket unless it exists; one that exists keeps its own retention.

        :param retention_seconds: 0 keeps forever
        """
        found = self.find_bucket(name)
        if found is not None:
            return found
        request = requests.create_bucket_request(self._org_id(name), name, retention_seconds)
        try:
            return bucket_of(self._json(request))
        except InfluxRejected as error:
            if not is_taken(error):
                raise
            # another worker was faster, or a try whose answer was lost has made it
            found = self.find_bucket(name)
            if found is None:
                what = f"bucket {name!r} exists, but the token may not read it"
                raise InfluxForbidden(what, fix="give the token the missing permission") from error
            return found

    def health(self) -> Health:
        """Ask how the server is; needs no token.

        :raises InfluxRejected: when it is another version of InfluxDB, or none
        """
        try:
            answer = self._json(requests.health_request())
        except InfluxError as error:
            raise error_of_health(error, self._transport) from None
        other = error_of_version(str(answer.get("version", "")))
        if other is not None:
            raise other
        return Health(
            name=str(answer.get("name", "")),
            version=str(answer.get("version", "")),
            status=str(answer.get("status", "")),
        )

    def _org_id(self, bucket: str) -> str:
        organisations = self._json(requests.find_org_request(self._settings.org))["orgs"]
        if not organisations:
            what = (
                f"bucket {bucket!r} does not exist, or the token may not read it; the token may not read organisation "
                f"{self._settings.org!r} either, so that the bucket cannot be created"
            )
            fix = f"let the token read and write bucket {bucket!r}; create the bucket by hand when it does not exist"
            raise InfluxForbidden(what, fix=fix)
        return str(organisations[0]["id"])

    def _retried(self, attempt: Callable[[], Result]) -> Result:
        return call_with_retries(attempt, deadline_seconds=self._settings.deadline_seconds)

    def _send(self, request: Request) -> bytes:
        return self._retried(lambda: self._transport.send(request))

    def _json(self, request: Request) -> dict[str, Any]:
        body = self._send(request)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            what = f"the answer to {request.about} is not InfluxDB's: {body[:200]!r}"
            raise InfluxRejected(what, fix="check the URL of the connection")
        return answer

    def _whole(
        self,
        flux: str,
        extern: Mapping[str, Any] | None,
        now: datetime | None,
        make_decoder: Callable[[Callable[[str], InfluxError]], DoubtfulDecoder[Result]],
        put_back: Callable[[TextsInHex, Result], Result],
        *,
        keeps_bytes: bool = False,
        is_own: bool = False,
    ) -> Result:
        """The decoded answer of a query, with the carriage returns that its CSV loses."""

        def asked(text: str) -> Request:
            request = partial(requests.query_request, self._settings.org, extern=extern, now=now)
            return profiled_request(text, request) if self._settings.profiles_queries else request(text)

        def run(text: str) -> tuple[Result, Doubts]:
            def decoder(make_error: Callable[[str], InfluxError]) -> Decoder[tuple[Result, Doubts]]:
                return WithDoubts(make_decoder(lambda message: with_advice(make_error(message))))

            return self._decoded(asked(text), decoder)

        def part() -> Parted | None:
            return part_query(flux) if is_own else part_script(flux, self.parse_script(flux))

        return WholeTextQuery(
            flux=flux,
            run=run,
            has_lost_texts=lambda text: self._decoded(asked(text), LostTextsThere),
            part=part,
            put_back=put_back,
            error_from_text=lambda message: error_of_text(asked(flux), message),
            keeps_bytes=keeps_bytes,
        ).whole()

    def _decoded(
        self, request: Request, make_decoder: Callable[[Callable[[str], InfluxError]], Decoder[Result]]
    ) -> Result:
        def attempt() -> Result:
            decoder = make_decoder(lambda text: error_of_text(request, text))
            for piece in without_profile(request, self._transport.stream(request)):
                decoder.feed(piece)
            return decoder.close()

        return self._retried(attempt)
