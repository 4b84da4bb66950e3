"""Receipts and specs to line protocol and back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.codec import (
    SpecRecord,
    decode_receipts,
    decode_specs,
    encode_claims,
    encode_incomplete,
    encode_put_back,
    encode_receipts,
    encode_spec,
)
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.windows.interval import Interval

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(0, 4 * 10**15).map(lambda micros: EPOCH + timedelta(microseconds=micros))
LENGTHS = st.integers(1, 10**13).map(lambda micros: timedelta(microseconds=micros))
NAMES = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
# what the receipts of one run have in common
SIGNATURE = (
    "pipeline",
    "state",
    "dag_id",
    "task_id",
    "run_id",
    "try_number",
    "map_index",
    "forced",
    "incomplete",
)
COUNTS = st.integers(0, 2**62)
TEXTS = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=12)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    start = draw(INSTANTS)
    return Receipt(
        pipeline=draw(NAMES.map(lambda name: f"p {name}.")),
        stage="rollup",
        window=Interval(start, start + draw(LENGTHS)),
        state=draw(st.sampled_from(State)),
        written_at=draw(INSTANTS),
        generation=draw(COUNTS),
        rows_in=draw(COUNTS),
        rows_out=draw(COUNTS),
        series=draw(COUNTS),
        checksum=draw(st.integers(0, 2**64 - 1)).to_bytes(8).hex(),
        spec_hash="00ff",
        dag_id=draw(TEXTS),
        task_id=draw(TEXTS),
        run_id=draw(TEXTS),
        try_number=draw(st.integers(0, 99)),
        map_index=draw(st.integers(-1, 99)),
        seconds=draw(st.floats(0, 1e6)),
        reason=draw(TEXTS),
        forced=draw(st.booleans()),
        incomplete=draw(TEXTS),
        complete_when=draw(TEXTS),
        merged_from=draw(st.sampled_from([None, "", "00ff"])),
    )


def parse(line: str) -> dict[str, Any]:
    """A parser of line protocol of its own: the pivoted row that a query of the ledger returns."""
    head = cut(line, " ", quotes=False)[0]
    fields, time = cut(line[len(head) + 1 :], " ")
    measurement, *tags = cut(head, ",", quotes=False)
    row: dict[str, Any] = {"_measurement": measurement}
    for tag in tags:
        key, value = cut(tag, "=", quotes=False)
        row[plain(key)] = plain(value)
    for field in cut(fields, ","):
        key, text = cut(field, "=")[0], field[len(cut(field, "=")[0]) + 1 :]
        row[plain(key)] = value_of(text)
    return row | {"_time": EPOCH + timedelta(microseconds=int(time) // 1000)}


def cut(text: str, separator: str, *, quotes: bool = True) -> list[str]:
    """Parts between separators that no backslash escapes; quotes protect only in field values."""
    parts, current, quoted, escaped = [], "", False, False
    for character in text:
        if quotes and character == '"' and not escaped:
            quoted = not quoted
        if character == separator and not quoted and not escaped:
            parts.append(current)
            current = ""
        else:
            current += character
        escaped = character == "\\" and not escaped
    return [*parts, current]


def plain(text: str) -> str:
    for special in ",= ":
        text = text.replace(f"\\{special}", special)
    return text


def value_of(text: str) -> Any:
    if text.startswith('"'):
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if text in ("true", "false"):
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)


SAFE = receipts().filter(lambda r: "\\" not in "".join([r.pipeline, r.dag_id, r.task_id, r.run_id]))


@given(st.lists(SAFE, min_size=1, max_size=4, unique_by=lambda receipt: receipt.window.start))
def test_receipts_come_back_unchanged_when_they_were_encoded(made: list[Receipt]) -> None:
    rows = [parse(line) for line in encode_receipts(made) if line.startswith("window_receipt")]
    assert decode_receipts(rows) == sorted(map(with_numbers, made), key=lambda receipt: receipt.window)


@given(st.lists(SAFE, min_size=2, max_size=4, unique_by=lambda receipt: receipt.window.start))
def test_receipts_come_back_unchanged_when_they_differ_in_numbers_alone(made: list[Receipt]) -> None:
    signature = {name: getattr(made[0], name) for name in SIGNATURE}
    alike = [replace(receipt, **signature) for receipt in made]
    rows = [parse(line) for line in encode_receipts(alike) if line.startswith("window_receipt")]
    assert decode_receipts(rows) == sorted(map(with_numbers, alike), key=lambda receipt: receipt.window)


def with_numbers(receipt: Receipt) -> Receipt:
    """A receipt with the numbers that are written: those of a commit, and none before it."""
    if receipt.state not in (State.PLANNED, State.WRITING):
        return receipt
    none = {"generation": 0, "rows_in": 0, "rows_out": 0, "series": 0, "checksum": "", "merged_from": None}
    return replace(receipt, seconds=0.0, **none)


@given(SAFE)
def test_event_keeps_the_wall_clock_when_a_receipt_is_encoded(receipt: Receipt) -> None:
    [event] = [parse(line) for line in encode_receipts([receipt]) if line.startswith("window_event")]
    assert event["_time"] == receipt.written_at
    assert (event["window_start_ns"], event["state"]) == (receipt.window.start_ns, receipt.state.value)


@given(st.lists(SAFE, min_size=2, max_size=4, unique_by=lambda receipt: receipt.window.start))
def test_events_stay_apart_when_windows_change_together(made: list[Receipt]) -> None:
    together = [replace(receipt, pipeline="p", stage="s", written_at=made[0].written_at) for receipt in made]
    events = [line for line in encode_receipts(together) if line.startswith("window_event")]
    assert len({line.rpartition(" ")[2] for line in events}) == len(made)


def test_receipts_come_back_unchanged_when_their_texts_have_percent_signs() -> None:
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    parts = {"pipeline": "100%", "dag_id": "%s", "run_id": "%(a)d%%", "reason": "50 %"}
    receipt = Receipt(stage="rollup", window=window, state=State.COMMITTED, written_at=EPOCH, **parts)
    assert decode_receipts([parse(encode_receipts([receipt])[0])]) == [receipt]


def test_receipts_decode_when_empty_texts_came_back_as_nothing() -> None:
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    receipt = Receipt(pipeline="p", stage="rollup", window=window, state=State.WRITING, written_at=EPOCH)
    row = parse(encode_receipts([receipt])[0])
    for name in ("checksum", "spec_hash", "dag_id", "task_id", "run_id"):
        row[name] = None
    assert decode_receipts([row]) == [receipt]


@given(SAFE)
def test_only_what_it_lacks_is_written_when_a_receipt_is_marked(receipt: Receipt) -> None:
    (line,) = encode_incomplete([receipt])
    row = parse(line)
    assert row.keys() == {"_measurement", "_time", "pipeline", "stage", "incomplete", "complete_when"}
    whole = parse(encode_receipts([replace(receipt, incomplete="x", complete_when="y")])[0])
    assert decode_receipts([whole | row]) == [with_numbers(receipt)]


def test_specs_come_back_newest_first_when_several_were_encoded() -> None:
    specs = [({"fields": ["größe"], "n": number}, EPOCH + timedelta(days=number)) for number in (1, 3, 2)]
    rows = [parse(encode_spec("p q", f"hash{spec['n']}", spec, now)) for spec, now in specs]
    assert all(row["_time"] == EPOCH for row in rows)
    found = decode_specs(map(SpecRecord.of, rows))
    assert [(name, spec_hash) for name, spec_hash, _ in found] == [
        ("p q", "hash3"),
        ("p q", "hash2"),
        ("p q", "hash1"),
    ]
    assert found[0][2] == {"fields": ["größe"], "n": 3}


def test_spec_is_refused_when_the_ledger_holds_something_else() -> None:
    row = {"pipeline": "p", "spec_hash": "h", "last_used_ns": 0, "spec": json.dumps([1])}
    with pytest.raises(ConfigurationError, match="'p'"):
        decode_specs([SpecRecord.of(row)])


CLAIMS = st.sampled_from(["aaaa", "bbbb"])
CHANGES = st.lists(
    st.tuples(st.sampled_from([State.WRITING, State.COMMITTED]), CLAIMS), min_size=1, max_size=6
)


def stored(writes: list[list[str]]) -> dict[str, Any]:
    """The receipt's row after some writes: a field keeps its value until another one is written."""
    row: dict[str, Any] = {}
    for lines in writes:
        row |= parse(lines[0])
    return row


@given(CHANGES)
def test_window_is_committed_only_by_the_run_that_claimed_it_last(changes: list[tuple[State, str]]) -> None:
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    receipt = Receipt(pipeline="p", stage="rollup", window=window, state=State.PLANNED, written_at=EPOCH)
    claimed = [(State.WRITING, changes[0][1]), *changes]
    row = stored([encode_receipts([replace(receipt, state=s, claim_id=c)]) for s, c in claimed])
    owner = [claim for state, claim in claimed if state is State.WRITING][-1]
    is_done = claimed[-1] == (State.COMMITTED, owner)
    assert decode_receipts([row])[0].is_committed == is_done


def test_window_is_as_before_when_its_receipt_is_put_back() -> None:
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    receipt = Receipt(pipeline="p", stage="rollup", window=window, state=State.COMMITTED, written_at=EPOCH)
    before = replace(receipt, claim_id="aaaa", generation=3)
    of_another = {"dag_id": "backfill", "run_id": "r9", "reason": "forced", "forced": True, "try_number": 3}
    again = replace(before, state=State.WRITING, claim_id="bbbb", **of_another)
    planned = replace(receipt, state=State.PLANNED, run_id="of the plan")
    bare = Receipt(pipeline="p", stage="rollup", window=window, state=State.PLANNED, written_at=EPOCH)
    for known in (before, replace(before, claim_id=""), planned, bare):
        back = encode_put_back([known])
        row = stored([encode_receipts([known]), encode_receipts([again]), back, back[2:]])
        assert decode_receipts([row]) == [known]


def test_claim_of_a_run_that_is_writing_is_taken_and_nothing_else() -> None:
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    receipt = Receipt(pipeline="p", stage="rollup", window=window, state=State.WRITING, written_at=EPOCH)
    writing = replace(receipt, claim_id="aaaa", generation=3)
    done = replace(writing, state=State.COMMITTED, generation=4)
    row = stored([encode_receipts([writing]), encode_claims([writing], "bbbb"), encode_receipts([done])])
    assert decode_receipts([row]) == [replace(done, state=State.WRITING, claim_id="bbbb")]


@given(CHANGES, st.data())
def test_plan_hides_nothing_of_a_window_that_others_have_begun(
    changes: list[tuple[State, str]], data: st.DataObject
) -> None:
    """Whoever plans has found no receipt, and writes at any time after that."""
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    receipt = Receipt(pipeline="p", stage="rollup", window=window, state=State.PLANNED, written_at=EPOCH)
    planned = encode_receipts([replace(receipt, run_id="of the plan", spec_hash="another")])
    begun = replace(receipt, run_id="of the others", generation=4, spec_hash="00ff", incomplete="d1")
    claimed = [(State.WRITING, changes[0][1]), *changes]
    others = [encode_receipts([replace(begun, state=state, claim_id=claim)]) for state, claim in claimed]
    place = data.draw(st.integers(0, len(others)))
    row = stored([*others[:place], planned, *others[place:]])
    assert decode_receipts([row]) == decode_receipts([stored(others)])


def test_plan_of_an_earlier_release_is_one_still() -> None:
    window = Interval(EPOCH, EPOCH + timedelta(hours=1))
    receipt = Receipt(pipeline="p", stage="rollup", window=window, state=State.WRITING, written_at=EPOCH)
    row = parse(encode_receipts([receipt])[0]) | {"state": "PLANNED"}
    assert decode_receipts([row]) == [replace(receipt, state=State.PLANNED)]
