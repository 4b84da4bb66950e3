"""What the simulator of ``tests/simulation`` answers to queries of a ledger is what a real InfluxDB answers, on random records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.ledger_history import CoveredWindows, WrittenSpecs
from airflow_provider_influx_rollup.flux.ledger_read import (
    ClaimsOf,
    ReceiptsOf,
    ReceiptsOfSeveral,
    ReceiptStates,
    SetAsideRecords,
    StoredSpecs,
    WritingReceipts,
)
from airflow_provider_influx_rollup.flux.measurements import MeasurementNames
from airflow_provider_influx_rollup.flux.purges import MarksBetween, MarksOfBucket, OverlappingMarks
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.ledger.codec import (
    encode_claims,
    encode_put_back,
    encode_receipts,
    encode_spec,
    encode_spec_commit,
)
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.ledger.purges import PurgeMark, encode_mark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.steps.influx import Delete, FindBucketById, Write
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.examples import examples
from tests.scenes.rollup_runs import interval
from tests.simulation.conformance import Both

pytestmark = pytest.mark.live

SETTINGS = settings(
    max_examples=examples(15), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
HOUR = timedelta(hours=1)
SPAN = interval("2025-03-08T00:00", "2025-03-08T04:00")
HOURS = [Interval(SPAN.start + number * HOUR, SPAN.start + (number + 1) * HOUR) for number in range(4)]
NOW = datetime(2025, 3, 9, 12, tzinfo=UTC)
EVERYTHING = interval("1970-01-01T00:00", "2030-01-01T00:00")
KINDS = (
    "window_receipt",
    "window_event",
    "pipeline_spec",
    "purged_window",
    "ghost_survivors",
)
NAMES = ("hourly", 'a "b" c', "raw/m->roll, \\x@1h")
names = st.sampled_from(NAMES)
spans = st.sampled_from([SPAN, *HOURS, Interval(HOURS[1].start, HOURS[2].stop)])


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    return Receipt(
        pipeline=draw(names),
        stage=draw(st.sampled_from(("rollup", "script"))),
        window=draw(st.sampled_from(HOURS)),
        state=draw(st.sampled_from(State)),
        written_at=NOW + timedelta(milliseconds=draw(st.integers(0, 9))),
        generation=draw(st.integers(0, 3)),
        rows_in=draw(st.integers(0, 9)),
        checksum=draw(st.sampled_from(("", "00ff"))),
        run_id=draw(st.sampled_from(("", "run 1", 'say "hi"'))),
        seconds=draw(st.sampled_from((0.0, 0.25))),
        claim_id=draw(st.sampled_from(("", "claim1", "claim2"))),
        template_hash=draw(st.sampled_from((None, "", "t"))),
        forced=draw(st.booleans()),
    )


@st.composite
def marks(draw: st.DrawFn) -> PurgeMark:
    first, last = sorted((draw(st.integers(0, 3)), draw(st.integers(0, 3))))
    return PurgeMark(
        bucket=draw(st.sampled_from(("raw", "other"))),
        measurement=draw(st.sampled_from(("m", "n"))),
        window=Interval(HOURS[first].start, HOURS[last].stop),
        state=draw(st.sampled_from(("deleting", "purged", "lifted"))),
        generation=draw(st.integers(1, 3)),
        compared_at=NOW,
        pipelines=draw(st.sampled_from(((), ("hourly", "ü")))),
        bucket_id=draw(st.sampled_from(("", "0123456789abcdef"))),
        purge_id=draw(st.sampled_from(("", "p1"))),
    )


@st.composite
def written(draw: st.DrawFn) -> list[str]:
    """Lines of one write."""
    kind = draw(st.sampled_from(("receipt", "receipt", "claim", "back", "mark", "spec", "commit", "aside")))
    receipt = draw(receipts())
    if kind == "mark":
        return [encode_mark(draw(marks()))]
    if kind == "spec":
        spec = {"source_bucket": "raw", "target_bucket": "roll", "text": draw(names)}
        ids = draw(st.sampled_from((None, {"source_bucket": "0123456789abcdef"})))
        return [encode_spec(receipt.pipeline, draw(st.sampled_from("gh")), spec, receipt.written_at, ids)]
    if kind == "commit":
        return [encode_spec_commit(receipt.pipeline, draw(st.sampled_from("gh")), receipt.written_at)]
    if kind == "aside":
        tags = {"pipeline": receipt.pipeline, "part": draw(st.sampled_from("01"))}
        return [encode_line("ghost_survivors", tags, {"record": draw(names)}, receipt.window.start_ns)]
    if kind == "claim":
        claims = encode_claims([receipt], draw(st.sampled_from(("claim1", "claim3"))))
        return [*encode_receipts([receipt]), *claims]
    return encode_put_back([receipt]) if kind == "back" else encode_receipts([receipt])


@pytest.fixture(scope="module")
def ledger(client: InfluxClient) -> str:
    client.ensure_bucket("ledger of the simulator")
    return "ledger of the simulator"


@given(writes=st.lists(written(), max_size=12), span=spans, data=st.data())
@SETTINGS
def test_reads_of_a_ledger_are_equal(
    client: InfluxClient, ledger: str, writes: list[list[str]], span: Interval, data: st.DataObject
) -> None:
    both = Both(client, (ledger,))
    for kind in KINDS:
        both.do(Delete(ledger, EVERYTHING, kind))
    for lines in writes:
        both.do(Write(ledger, lines))
    _require_states(both, ledger, span)
    pipeline = data.draw(names)
    both.require_equal(ClaimsOf(ledger, pipeline, "rollup", span))
    both.require_equal(StoredSpecs(ledger))
    measurement = data.draw(st.sampled_from((None, "m")))
    real, simulated = both.ask(SetAsideRecords(ledger, data.draw(st.sampled_from((None, pipeline))), span))
    assert sorted(real, key=str) == sorted(simulated, key=str)
    real, simulated = both.ask(OverlappingMarks(ledger, measurement, span))
    assert sorted(real) == sorted(simulated)
    for query in (
        MarksBetween(ledger, measurement, span.start, span.start + HOUR),
        MarksOfBucket(ledger, data.draw(st.sampled_from(("raw", "other")))),
    ):
        real, simulated = both.ask(query)
        assert sorted(real, key=repr) == sorted(simulated, key=repr)
    real, simulated = both.ask(MeasurementNames(ledger))
    # other tests write measurements of their own into the bucket
    assert set(real) & set(KINDS) == set(simulated) & set(KINDS)


def _require_states(both: Both, ledger: str, span: Interval) -> None:
    for pipeline in NAMES:
        place = ledger, pipeline, "rollup", span
        both.require_equal(ReceiptsOf(*place))
        for query in (ReceiptStates(*place), CoveredWindows(*place), WritingReceipts(*place)):
            # a pivot has its rows in the order in which its fields have them
            real, simulated = both.ask(query)
            assert sorted(real, key=repr) == sorted(simulated, key=repr)
        both.require_equal(together(ReceiptsOf(*place), StoredSpecs(ledger), ClaimsOf(*place)))
    real, simulated = both.ask(ReceiptsOfSeveral(ledger, NAMES[1:], "rollup", span))
    assert sorted(real, key=repr) == sorted(simulated, key=repr)
    both.require_equal(WrittenSpecs(ledger, NAMES[1:], "rollup", span))


def test_buckets_have_ids_as_on_the_server(client: InfluxClient, ledger: str) -> None:
    both = Both(client, (ledger,))
    real, simulated = both.ask(BucketsNow())
    assert len(real.id_of(ledger)) == len(simulated.id_of(ledger)) == 16
    assert real.present(ledger, "") == simulated.present(ledger, "")
    for server, names in zip(
        (lambda step: act(step, client), both.simulated.act), (real, simulated), strict=True
    ):
        found = server(FindBucketById(names.id_of(ledger)))
        assert (found.name, found.id) == (ledger, names.id_of(ledger))
    assert both.ask(FindBucketById("0123456789abcdef")) == (None, None)


@given(data=st.data())
@SETTINGS
def test_a_field_of_two_types_is_refused_alike(
    client: InfluxClient, ledger: str, data: st.DataObject
) -> None:
    both = Both(client, (ledger,))
    values = st.sampled_from(("1", "1i", "1u", "true", '"x"'))
    weeks = st.sampled_from([SPAN.start_ns + number * 7 * 86_400 * 10**9 for number in range(2)])
    for _ in range(data.draw(st.integers(1, 6))):
        pairs = data.draw(st.lists(st.tuples(st.sampled_from("vw"), values, weeks), min_size=1, max_size=3))
        # of lines of one request the server may take any type first
        chosen = {(name, week): (name, value, week) for name, value, week in pairs}.values()
        both.do(Write(ledger, [f"{both.measurement},t=a {n}={value} {week}" for n, value, week in chosen]))
    real, simulated = both.ask(MeasurementNames(ledger))
    assert (both.measurement in real) == (both.measurement in simulated)
