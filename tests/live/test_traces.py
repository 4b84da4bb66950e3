"""Spans of stages, windows, steps and requests, as OpenTelemetry's SDK gets them, and as a collector gets them from it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.client import tracing
from airflow_provider_influx_rollup.client.driver import adrive, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.tally import counting
from airflow_provider_influx_rollup.exceptions import BucketNotFound
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stage_result import StageResult
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.servers.relay import running_relay

pytestmark = pytest.mark.live

START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOWS = 3
SPAN = Interval(START, START + timedelta(hours=WINDOWS))
SECRET_TAG = "customer-4711"


class Traces:
    """The spans that have ended."""

    def __init__(self, provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
        self.provider = provider
        self._exporter = exporter

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def parent(self, span: ReadableSpan) -> ReadableSpan | None:
        by_id = {one.context.span_id: one for one in self.spans if one.context}
        return by_id.get(span.parent.span_id) if span.parent else None

    def line(self, span: ReadableSpan) -> list[str]:
        above = self.parent(span)
        return [*(self.line(above) if above else []), span.name]


@pytest.fixture
def traces(mocker: MockerFixture) -> Iterator[Traces]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    mocker.patch.object(tracing, "_tracer", return_value=provider.get_tracer("test"))
    yield Traces(provider, exporter)
    provider.shutdown()


@pytest.fixture
def spec(client: InfluxClient, bucket_factory: Callable[[], str]) -> RollupSpec:
    source = bucket_factory()
    times = [int((START + timedelta(minutes=20 * step)).timestamp()) for step in range(3 * WINDOWS)]
    client.write_lines(source, [f"m,customer={SECRET_TAG} temp=1 {time}000000000" for time in times])
    return RollupSpec(
        source_bucket=source,
        target_bucket=bucket_factory(),
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count", "median"),
        tags={"customer": (SECRET_TAG,)},
        ledger_bucket=bucket_factory(),
    )


def steps(spec: RollupSpec) -> Steps[StageResult]:
    options = RollupOptions(windows_per_block=1)
    return roll_up(
        spec, SPAN, RunInfo(dag_id="d", task_id="t", run_id="r"), lambda: datetime.now(UTC), options=options
    )


def by_worker(spec: RollupSpec, client: InfluxClient) -> None:
    with tracing.stage_span("rollup", {"dag_id": "d"}) as span:
        span.add(tracing.span_facts(drive(steps(spec), client, lambda _: None).as_json()))


def by_triggerer(spec: RollupSpec, client: InfluxClient) -> None:
    async def run() -> None:
        with tracing.stage_span("rollup", {"dag_id": "d"}) as span:
            span.add(tracing.span_facts((await adrive(steps(spec), client, lambda _: None)).as_json()))

    asyncio.run(run())


@pytest.mark.parametrize("drive_it", [by_worker, by_triggerer])
def test_spans_of_queries_are_inside_those_of_windows_and_these_inside_the_stage(
    client: InfluxClient,
    spec: RollupSpec,
    traces: Traces,
    drive_it: Callable[[RollupSpec, InfluxClient], None],
) -> None:
    drive_it(spec, client)
    (stage,) = traces.named("influx_rollup.rollup")
    assert stage.parent is None
    windows = traces.named("influx_rollup.window")
    starts = [dict(window.attributes or {})["influx_rollup.window.start"] for window in windows]
    assert starts == ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]
    assert {traces.parent(window) for window in windows} == {stage}
    requests = [span for span in traces.spans if span.name.startswith("InfluxDB ")]
    lines = Counter(" > ".join(traces.line(span)[:-2]) for span in requests)
    assert set(lines) == {"influx_rollup.rollup", "influx_rollup.rollup > influx_rollup.window"}
    assert lines["influx_rollup.rollup > influx_rollup.window"] >= 4 * WINDOWS
    assert {traces.line(span)[-2].rpartition(".")[0] for span in requests} == {"influx_rollup.step"}
    assert len({span.context.trace_id for span in traces.spans if span.context}) == 1


def test_stage_tells_what_it_did_and_a_request_what_it_was(
    client: InfluxClient, spec: RollupSpec, traces: Traces, influx: InfluxServer
) -> None:
    by_worker(spec, client)
    (stage,) = traces.named("influx_rollup.rollup")
    assert dict(stage.attributes or {}) == {
        "influx_rollup.dag_id": "d",
        "influx_rollup.pipeline": spec.pipeline_name,
        "influx_rollup.windows": WINDOWS,
        "influx_rollup.rows_in": 3 * WINDOWS,
        "influx_rollup.rows_out": 2 * WINDOWS,
        "influx_rollup.series": 1,
        "influx_rollup.generation": 1,
        "influx_rollup.state": "COMMITTED",
        "influx_rollup.start": "2026-01-01T00:00:00Z",
        "influx_rollup.stop": "2026-01-01T03:00:00Z",
    }
    query = dict(traces.named("InfluxDB query")[0].attributes or {})
    size = query.pop("http.request.body.size"), query.pop("http.response.body.size")
    host, port = influx.url.removeprefix("http://").split(":")
    assert all(isinstance(one, int) and one > 0 for one in size)
    assert query == {
        "db.system.name": "influxdb",
        "db.operation.name": "query",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": "/api/v2/query",
        "server.address": host,
        "server.port": int(port),
    }


def test_no_span_has_the_token_a_script_or_the_value_of_a_tag(
    client: InfluxClient, spec: RollupSpec, traces: Traces, influx: InfluxServer
) -> None:
    # the default name of a pipeline tells its filter; this one has a name of its own
    by_worker(replace(spec, pipeline="named"), client)
    texts = [span.to_json() for span in traces.spans]
    assert len(texts) > 20
    for secret in (influx.token, SECRET_TAG, "from(bucket"):
        assert not [text for text in texts if secret in text]


def test_failed_step_and_stage_name_the_error(client: InfluxClient, spec: RollupSpec, traces: Traces) -> None:
    lost = replace(spec, target_bucket="nowhere")
    with pytest.raises(BucketNotFound):
        by_worker(lost, client)
    (stage,) = traces.named("influx_rollup.rollup")
    assert (stage.status.is_ok, dict(stage.attributes or {})["error.type"]) == (False, "BucketNotFound")
    assert stage.events == ()


def test_requests_carry_the_trace_of_their_own_span(
    client: InfluxClient, spec: RollupSpec, traces: Traces
) -> None:
    with (
        running_relay(client._settings.url) as relay,
        InfluxClient(replace(client._settings, url=relay.url)) as through,
    ):
        by_worker(spec, through)
    # the last part, the flags, is the SDK's
    sent = {headers["traceparent"].rpartition("-")[0] for _, _, headers in relay.requests}
    spans = [span.context for span in traces.spans if span.name.startswith("InfluxDB ") and span.context]
    assert sent == {f"00-{one.trace_id:032x}-{one.span_id:016x}" for one in spans}
    assert len(sent) == len(relay.requests)


def test_requests_carry_no_header_when_nobody_traces(client: InfluxClient, spec: RollupSpec) -> None:
    with (
        running_relay(client._settings.url) as relay,
        InfluxClient(replace(client._settings, url=relay.url)) as through,
    ):
        by_worker(spec, through)
    assert relay.requests
    assert not [headers for _, _, headers in relay.requests if "traceparent" in headers]


def test_stage_goes_on_with_the_trace_of_another_process(
    client: InfluxClient, spec: RollupSpec, traces: Traces
) -> None:
    with tracing.stage_span("waiting", {}):
        header = tracing.trace_parent()
    with tracing.stage_span("rollup", {}, trace_parent=header):
        client.query("buckets() |> limit(n: 1)")
    (waiting,), (stage,) = traces.named("influx_rollup.waiting"), traces.named("influx_rollup.rollup")
    assert traces.parent(stage) == waiting


def test_stage_counts_its_requests_and_bytes(client: InfluxClient, spec: RollupSpec, traces: Traces) -> None:
    with counting() as counts:
        by_worker(spec, client)
    requests = [span for span in traces.spans if span.name.startswith("InfluxDB ")]
    sizes = [dict(span.attributes or {}) for span in requests]
    assert counts.as_json() == {
        "requests": len(requests),
        "retries": 0,
        "bytes_sent": sum(int(str(one["http.request.body.size"])) for one in sizes),
        "bytes_received": sum(int(str(one["http.response.body.size"])) for one in sizes),
        "query_memory_bytes": 0,
    }


def test_answers_are_the_same_when_queries_are_profiled(client: InfluxClient, spec: RollupSpec) -> None:
    profiling = replace(client._settings, profiles_queries=True)
    flux = f'from(bucket: "{spec.source_bucket}") |> range(start: 0, stop: 2026-01-02T00:00:00Z) |> sum()'
    with InfluxClient(profiling) as profiled, counting() as counts:
        for script in (
            flux,
            f"{flux} |> filter(fn: (r) => false)",
            f'import "strings"\n{flux}',
            f"// why\n{flux}",
        ):
            assert profiled.query_rows(script) == client.query_rows(script)
            assert profiled.query_arrow(script) == client.query_arrow(script)
        both = f'a = {flux} |> yield(name: "a")\nb = {flux} |> yield(name: "b")'
        assert profiled.query_rows(both) == client.query_rows(both)
        assert profiled.query_digest(flux) == client.query_digest(flux)
        result = drive(steps(spec), profiled, lambda _: None)
    assert result.rows_in == 3 * WINDOWS
    assert counts.query_memory_bytes > 0


class Collector:
    """What a collector was sent by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.url = ""

    def take(self, body: bytes) -> None:
        message = ExportTraceServiceRequest.FromString(body)
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans


@contextmanager
def running_collector() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_collector_gets_the_spans(client: InfluxClient, spec: RollupSpec, traces: Traces) -> None:
    with running_collector() as collector:
        exporter = OTLPSpanExporter(endpoint=collector.url)
        traces.provider.add_span_processor(SimpleSpanProcessor(exporter))
        by_worker(spec, client)
    assert sorted(span.name for span in collector.spans) == sorted(span.name for span in traces.spans)
    (stage,) = [span for span in collector.spans if span.name == "influx_rollup.rollup"]
    windows = [span for span in collector.spans if span.name == "influx_rollup.window"]
    assert [window.parent_span_id for window in windows] == [stage.span_id] * WINDOWS
