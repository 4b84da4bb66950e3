"""Values that go into Flux come back from the server as they were, and names and filters mean what they say."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import InfluxRejected
from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.delete_predicate import delete_predicate
from airflow_provider_influx_rollup.flux.extern import extern_file
from airflow_provider_influx_rollup.flux.filters import field_filter, measurement_filter, tag_filter
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.flux.plan import plan_extern, read_plan
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

pytestmark = pytest.mark.live

DAY = Interval(datetime(2020, 9, 13, tzinfo=UTC), datetime(2020, 9, 14, tzinfo=UTC))
TIME_NS = 1_600_000_000_000_000_000

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
nasty = st.lists(
    st.sampled_from(
        ["${", "$", "{", "}", "\\", '"', "\n", "\t", "\r", "\0", "'", "/", "a", "é", "\U0001f600"]
    ),
    max_size=12,
).map("".join)
int64s = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)


def value_of(client: InfluxClient, expression: str, imports: tuple[str, ...] = (), **binding: Any) -> Any:
    """What the server makes of an expression."""
    head = "".join(f'import "{path}"\n' for path in ("array", *imports))
    flux = f"{head}array.from(rows: [{{_value: {expression}}}])"
    return client.query(flux, **binding)[0]["_value"]


def bits(number: float) -> bytes:
    return struct.pack("<d", number)


def escaped(text: str) -> str:
    """Line protocol's escapes of names and tag values."""
    return text.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def test_a_pattern_ends_before_what_follows_when_its_last_character_is_an_escaped_backslash(
    client: InfluxClient,
) -> None:
    ends = f'{literals.string("a" + chr(92))} =~ {literals.regex(r"^a" + 2 * chr(92))} and "/" == "/"'
    assert value_of(client, ends) is True


@given(text=st.one_of(texts, nasty))
@settings(max_examples=100)
def test_a_string_literal_equals_the_bound_string_when_any_text_is_given(
    client: InfluxClient, text: str
) -> None:
    bound = extern_file(params={"text": text})
    # compared on the server, since its answers cannot carry every character
    assert value_of(client, f"{literals.string(text)} == params.text", extern=bound) is True


@given(text=st.one_of(texts, nasty))
@settings(max_examples=60)
def test_a_string_comes_back_when_it_is_any_text(client: InfluxClient, text: str) -> None:
    assert value_of(client, literals.string(text)) == text


def test_a_carriage_return_comes_back_when_a_text_or_a_parameter_has_it(client: InfluxClient) -> None:
    assert value_of(client, literals.string("a\rb")) == "a\rb"
    bound = extern_file(params={"text": "a\rb"})
    assert value_of(client, "strings.strlen(v: params.text)", extern=bound, imports=("strings",)) == 3
    assert value_of(client, "params.text", extern=bound) == "a\rb"


@given(number=int64s)
@settings(max_examples=40)
def test_an_int_comes_back_when_it_fits(client: InfluxClient, number: int) -> None:
    answer = value_of(client, literals.integer(number))
    assert answer == number
    assert isinstance(answer, int)


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1, 0, -1])
def test_an_int_comes_back_when_at_the_bounds(client: InfluxClient, number: int) -> None:
    assert value_of(client, literals.integer(number)) == number


@given(number=floats)
@settings(max_examples=60)
def test_a_float_comes_back_to_the_last_bit_when_it_is_finite(client: InfluxClient, number: float) -> None:
    answer = value_of(client, literals.float_(number))
    assert isinstance(answer, float)
    assert bits(answer) == bits(number)


@pytest.mark.parametrize("number", [-0.0, 1.0, 1e300, 5e-324, 1.7976931348623157e308, 0.1 + 0.2])
def test_a_float_comes_back_when_it_is_special(client: InfluxClient, number: float) -> None:
    assert bits(value_of(client, literals.float_(number))) == bits(number)
    bound = extern_file(params={"number": number})
    assert bits(value_of(client, "params.number", extern=bound)) == bits(number)


@given(text=texts, other=texts)
@settings(max_examples=40)
def test_a_quoted_pattern_matches_itself_only_when_any_text_is_given(
    client: InfluxClient, text: str, other: str
) -> None:
    pattern = literals.regex("^" + literals.quote_pattern(text) + "$")
    assert value_of(client, f"{literals.string(text)} =~ {pattern}") is True
    assert value_of(client, f"{literals.string(other)} =~ {pattern}") is (text == other)


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        ("^a/b$", "a/b", "ab"),
        (r"^a\/b$", "a/b", "ab"),
        ("^[/]$", "/", "x"),
        (r"^\x2e$", ".", "a"),
        (r"^\x{e9}$", "é", "e"),
        (r"^\d+$", "12", "x"),
        ("", "anything", None),
        ("^a\nb$", "a\nb", "a b"),
    ],
)
def test_a_pattern_keeps_its_meaning_when_it_needs_escapes(
    client: InfluxClient, pattern: str, matches: str, misses: str | None
) -> None:
    regex = literals.regex(pattern)
    assert value_of(client, f"{literals.string(matches)} =~ {regex}") is True
    if misses is not None:
        assert value_of(client, f"{literals.string(misses)} =~ {regex}") is False


@pytest.mark.parametrize(
    ("glob", "matches", "misses"),
    [("temp*", "temp_a.b", "atemp"), ("t?mp", "t.mp", "tmp"), ("a.b", "a.b", "axb"), ("[ab]*", "bz", "cz"),
     ("[!ab]*", "cz", "az"), ("a[b", "a[b", "ab"), ("*", "a\nb", None), ("[^]x]", None, "]"), ("[a-c]", "b", "-")],
)  # fmt: skip
def test_a_glob_selects_on_the_server_when_turned_into_a_pattern(
    client: InfluxClient, glob: str, matches: str | None, misses: str | None
) -> None:
    regex = literals.regex(literals.glob_pattern(glob))
    for text, expected in ((matches, True), (misses, False)):
        if text is not None:
            assert value_of(client, f"{literals.string(text)} =~ {regex}") is expected


@given(nanoseconds=int64s)
@settings(max_examples=40)
def test_a_time_comes_back_to_the_nanosecond_when_it_fits(client: InfluxClient, nanoseconds: int) -> None:
    assert value_of(client, f"int(v: {literals.time(nanoseconds)})") == nanoseconds


@pytest.mark.parametrize(
    ("span", "text"),
    [(timedelta(hours=-1), "-1h"), (timedelta(0), "0ns"), (timedelta(microseconds=1), "1us"),
     (Duration.parse("1mo"), "1mo"), (Duration.parse("1h30m"), "1h30m")],
)  # fmt: skip
def test_a_duration_means_the_same_when_written_or_bound(
    client: InfluxClient, span: timedelta | Duration, text: str
) -> None:
    assert value_of(client, f"string(v: {literals.duration(span)})") == text
    bound = extern_file(params={"span": span})
    assert value_of(client, "string(v: params.span)", extern=bound) == text


values = st.one_of(
    texts.filter(lambda text: "\r" not in text),
    st.booleans(),
    int64s,
    floats,
    st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)


@given(value=values)
@settings(max_examples=100)
def test_a_bound_value_comes_back_with_its_type_when_it_is_single(
    client: InfluxClient, value: object
) -> None:
    answer = value_of(client, "params.value", extern=extern_file(params={"value": value}))
    assert type(answer) is type(value)
    assert answer == value


@given(
    elements=st.one_of(
        st.lists(int64s, min_size=1), st.lists(texts.filter(lambda t: "\r" not in t), min_size=1)
    )
)
@settings(max_examples=30)
def test_bound_values_come_back_in_order_when_they_are_a_list(
    client: InfluxClient, elements: list[Any]
) -> None:
    flux = """import "array"
array.from(rows: params.deep.values |> array.map(fn: (x) => ({_value: x})))"""
    rows = client.query(flux, extern=extern_file(params={"deep": {"values": elements}}))
    assert [row["_value"] for row in rows] == elements


@pytest.mark.parametrize("key", ["with space", 'quo"te', "if", "1st", "é", "${x}"])
def test_a_bound_value_is_found_when_its_key_is_no_identifier(client: InfluxClient, key: str) -> None:
    bound = extern_file(params={key: 7})
    assert value_of(client, f"params[{literals.string(key)}]", extern=bound) == 7


@pytest.fixture
def named_bucket(bucket_factory: Callable[[], str]) -> str:
    return bucket_factory()


@pytest.mark.parametrize(
    "name",
    ['quo"te', "quo'te", "back\\slash", "sp ace", "co,mma", "eq=ual", "é\U0001f600", "${x}", "AND", "tab\tbed",
     "a\\nb", "/re/", "1", "-", "\u2028", "_under"],
)  # fmt: skip
def test_a_name_is_written_filtered_and_deleted_when_it_is_valid(
    client: InfluxClient, named_bucket: str, name: str
) -> None:
    for kind in ("measurement", "tag", "tag value", "field"):
        assert validate_name(kind, name) == name  # type: ignore[arg-type]
    odd, measurement = escaped(name), name.replace(",", "\\,").replace(" ", "\\ ")
    client.write_lines(
        named_bucket,
        [
            f"{measurement},{odd}={odd} {odd}=1 {TIME_NS}",
            f"{measurement},{odd}=other {odd}=2 {TIME_NS}",
            f"m,t=x f=3 {TIME_NS}",
        ],
    )
    read = f"from(bucket: {literals.string(named_bucket)}) |> range(start: 2020-09-13T00:00:00Z)\n"
    chosen = f"{read}{measurement_filter(name)}\n{field_filter(name)}\n{tag_filter({name: name})}"
    assert [row["_value"] for row in client.query(chosen)] == [1.0]
    client.delete(named_bucket, DAY, delete_predicate(name, {name: name}))
    assert sorted(row["_value"] for row in client.query(read)) == [2.0, 3.0]


@pytest.mark.parametrize("line", [
    "m,time=a f=1", "m,_field=a f=1", "m,_measurement=a f=1", "m,t=a\\ f=1", "m,t= f=1", ",t=a f=1", "m =1", "m time=1",
])  # fmt: skip
def test_the_server_refuses_a_line_when_its_names_are_those_we_refuse(
    client: InfluxClient, named_bucket: str, line: str
) -> None:
    with pytest.raises(InfluxRejected):
        client.write_lines(named_bucket, [f"{line} {TIME_NS}"])


@pytest.fixture
def tagged_bucket(client: InfluxClient, bucket_factory: Callable[[], str]) -> str:
    bucket = bucket_factory()
    lines = [
        f"m{tags} f=1,g=1 {TIME_NS + number * 10**9}"
        for number in range(3)
        for tags in (",site=a,rack=x", ",site=b,rack=x", ",site=b,rack=y", ",rack=x", "")
    ]
    client.write_lines(bucket, [*lines, f"other,site=a,rack=x f=1 {TIME_NS}"])
    return bucket


@pytest.mark.parametrize(
    ("tags", "series"),
    [
        ({"site": "a"}, {("a", "x")}),
        ({"site": ["a", "b"]}, {("a", "x"), ("b", "x"), ("b", "y")}),
        ({"site": ["a", "b"], "rack": "x"}, {("a", "x"), ("b", "x")}),
        ({"site": ""}, {("", "x"), ("", "")}),
        ({"site": ["", "a"], "rack": "x"}, {("", "x"), ("a", "x")}),
        ({"site": [f"s{number}" for number in range(500)] + ["a"]}, {("a", "x")}),
    ],
)
def test_filters_select_and_are_pushed_down_when_tags_are_given(
    client: InfluxClient, tagged_bucket: str, tags: Mapping[str, Any], series: set[tuple[str, str]]
) -> None:
    filters = f"{measurement_filter(['m', 'absent'])}\n{field_filter(['f', 'absent'])}\n{tag_filter(tags)}"
    flux = f"""from(bucket: "{tagged_bucket}")
  |> range(start: {literals.time(DAY.start)}, stop: {literals.time(DAY.stop)})
{filters}
  |> aggregateWindow(every: 1h, fn: count, createEmpty: false)"""
    rows = client.query(flux)
    assert {(row.get("site") or "", row.get("rack") or "") for row in rows} == series
    assert {(row["_value"], row["_field"], row["_measurement"]) for row in rows} == {(3, "f", "m")}
    plan = read_plan(client.query(flux, extern=plan_extern()))
    assert plan is not None
    assert [node.rstrip("0123456789") for node in plan.nodes] == ["ReadWindowAggregateByTime"]
    assert plan.is_pushed_down
    raw = read_plan(client.query(flux.rpartition("  |> aggregate")[0], extern=plan_extern()))
    assert raw is not None
    assert len(raw.nodes) == 1
    assert not raw.is_pushed_down


@pytest.mark.parametrize("predicate", ["r.site == params.text", "r._value >= params.number"])
def test_a_filter_is_pushed_down_when_it_compares_with_a_bound_value(
    client: InfluxClient, tagged_bucket: str, predicate: str
) -> None:
    flux = f"""from(bucket: "{tagged_bucket}")
  |> range(start: {literals.time(DAY.start)}, stop: {literals.time(DAY.stop)})
  |> filter(fn: (r) => {predicate})
  |> aggregateWindow(every: 1h, fn: count, createEmpty: false)"""
    rows = client.query(flux, extern=plan_extern(params={"text": "a", "number": 0.5}))
    plan = read_plan(rows)
    assert plan is not None
    assert plan.is_pushed_down
    assert [row["_value"] for row in rows if "_value" in row]
