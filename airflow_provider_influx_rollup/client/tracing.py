"""Spans of stages, windows, steps and requests by OpenTelemetry's API; they go nowhere until somebody sets up its SDK.

Attributes hold names, times and numbers: no Flux, no values of tags, no token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.steps.current_window import current_window

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Tracer

    from airflow_provider_influx_rollup.client.requests import Request
    from airflow_provider_influx_rollup.step import Step
    from airflow_provider_influx_rollup.windows.interval import Interval

NAME = "airflow_provider_influx_rollup"
PREFIX = "influx_rollup"

SHOWN = ("pipeline", "windows", "rows", "rows_in", "rows_out", "series", "generation", "state", "dirty_total")

Attributes = Mapping[str, str | int | float | bool]


@lru_cache(maxsize=1)
def _tracer() -> Tracer | None:
    """OpenTelemetry's API comes with Airflow; without Airflow it may be missing."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer(NAME)


@contextmanager
def _span(name: str, attributes: Attributes, *, parent: Context | None = None) -> Iterator[Span | None]:
    """A span that is the current one in here; an error makes it a failed one, by the error's class."""
    tracer = _tracer()
    if tracer is None:
        yield None
        return
    with tracer.start_as_current_span(
        name, context=parent, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            _failed(span, error)
            raise


def _failed(span: Span, error: BaseException) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, type(error).__name__)
    span.set_attribute("error.type", type(error).__name__)
    if isinstance(error, InfluxRollupError):
        span.set_attribute(f"{PREFIX}.permanent", error.permanent)


@contextmanager
def stage_span(verb: str, attributes: Attributes, *, trace_parent: str | None = None) -> Iterator[StageSpan]:
    """The span of a stage.

    :param attributes: what is known of it before it begins
    :param trace_parent: header of the span that it belongs to, where that is another process's
    """
    parent = None
    if trace_parent and _tracer() is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract({"traceparent": trace_parent})
    known = {f"{PREFIX}.{name}": value for name, value in attributes.items() if value != ""}
    with _span(f"{PREFIX}.{verb}", known, parent=parent) as span:
        yield StageSpan(span)


class StageSpan:
    """The span of a stage, to which more can be added.

    :param span: None where there is no OpenTelemetry
    """

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def add(self, attributes: Attributes) -> None:
        """Tell what has become known."""
        if self._span is not None:
            self._span.set_attributes({f"{PREFIX}.{name}": value for name, value in attributes.items()})


def span_facts(result: Mapping[str, Any]) -> dict[str, str | int]:
    """What of a stage's result its span has.

    :param result: small JSON
    """
    facts = {name: result[name] for name in SHOWN if isinstance(result.get(name), str | int)}
    window = result.get("window")
    if isinstance(window, Mapping):
        facts |= {"start": str(window["start"]), "stop": str(window["stop"])}
    return facts


def step_span(step: Step[object]) -> AbstractContextManager[object]:
    """The span of a step, which has the name of its class: ``FieldTotals``, ``Write``."""
    return nullcontext() if _tracer() is None else _span(f"{PREFIX}.step.{type(step).__name__}", {})


class WindowSpans:
    """The span of the window that a verb works on, one after another."""

    def __init__(self) -> None:
        self._window: Interval | None = None
        self._open: AbstractContextManager[object] | None = None

    def follow(self) -> None:
        """Begin another span if the verb has come to another window."""
        window = current_window()
        if window == self._window:
            return
        self.end()
        self._window = window
        if window is not None:
            edges = window.as_json()
            self._open = _span(
                f"{PREFIX}.window",
                {f"{PREFIX}.window.start": edges["start"], f"{PREFIX}.window.stop": edges["stop"]},
            )
            self._open.__enter__()

    def end(self) -> None:
        """End the span."""
        span, self._open = self._open, None
        if span is not None:
            span.__exit__(None, None, None)


class RequestSpan:
    """The span of one request, from its first byte to the last of its answer.

    :ivar received: bytes of the answer so far

    :param request: what is sent
    :param url: of the server
    """

    def __init__(self, request: Request, url: str) -> None:
        self.received = 0
        self._span: Span | None = None
        tracer = _tracer()
        if tracer is None:
            return
        parts = urlsplit(url)
        attributes: dict[str, str | int] = {
            "db.system.name": "influxdb",
            "db.operation.name": request.kind.value,
            "http.request.method": request.method,
            "http.request.body.size": len(request.body or b""),
            "url.path": urlsplit(request.path).path,
            "server.address": parts.hostname or "",
        }
        if parts.port:
            attributes["server.port"] = parts.port
        self._span = tracer.start_span(
            f"InfluxDB {request.kind.value}", kind=_client_kind(), attributes=attributes
        )

    def headers(self) -> dict[str, str]:
        """The header by which the server, or a proxy before it, can go on with the trace."""
        headers: dict[str, str] = {}
        if self._span is not None:
            from opentelemetry.trace import set_span_in_context
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

            TraceContextTextMapPropagator().inject(headers, set_span_in_context(self._span))
        return headers

    def answered(self, status: int) -> None:
        """The answer begins."""
        if self._span is not None:
            self._span.set_attribute("http.response.status_code", status)

    def failed(self, error: BaseException) -> None:
        """There is an error in place of the whole answer."""
        if self._span is not None:
            _failed(self._span, error)

    def end(self) -> None:
        """Nothing more of the answer is read."""
        if self._span is not None:
            self._span.set_attribute("http.response.body.size", self.received)
            self._span.end()


@contextmanager
def request_span(request: Request, url: str) -> Iterator[RequestSpan]:
    """The span of one request; it is never the current one, as answers are read by several threads.

    :param request: what is sent
    :param url: of the server
    """
    span = RequestSpan(request, url)
    try:
        yield span
    except Exception as error:
        span.failed(error)
        raise
    finally:
        span.end()


def _client_kind() -> SpanKind:
    from opentelemetry.trace import SpanKind

    return SpanKind.CLIENT


def trace_parent() -> str | None:
    """The header of the span that is open here, for another process; None when there is none."""
    if _tracer() is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers.get("traceparent")
