"""No value, name or parameter changes the shape of a query: the server's own parser says so.

Two scripts are compared, one with hostile texts and one with harmless ones: their syntax trees differ in literals only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader
from jinja2.sandbox import SandboxedEnvironment

from airflow_provider_influx_rollup.exceptions import InfluxRollupError, InvalidName, TemplateInvalid
from airflow_provider_influx_rollup.flux.extern import extern_file
from airflow_provider_influx_rollup.flux.filters import field_filter, measurement_filter, tag_filter
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.globs import is_glob
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.lifecycle.plan.explain import explain_rollups
from airflow_provider_influx_rollup.templates.render import FluxSource, render
from tests.scenes.any_query import made, query_classes
from tests.scenes.examples import examples
from tests.scenes.query_shape import LITERALS, shape

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

# what could end a text, begin an expression, or be a part of a token
PIECES = (
    '"', "\\", "${", "}", "$", "/", "//", "\n", "\r", "\t", "\0", " ", "'", "(", ")", "{", "[", "|>", "=>", "=~", ":", ",", ".", "-",
    "+", "1", "0", "h", "mo", "T", "Z", "r", "or", "import", "to(bucket: \"x\")", "//", "*/", "{{", "}}", "%}", "\ue000", "\ue001", "é", "\x7f",
    "\u2028",
)  # fmt: skip
hostile = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)
# each is a pattern that can be compiled
patterns = st.lists(
    st.sampled_from(['"', "/", "//", "\n", "$", ".", "a", " ", "|", "-", "\\\\", "\\.", "\\/", "é"]),
    max_size=8,
).map("".join)
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
VALUES: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "text": (hostile, "a"),
    "int": (st.integers(-(2**63) + 1, 2**63 - 1), 7),
    "float": (st.floats(allow_nan=False, allow_infinity=False), 1.5),
    "time": (times, datetime(2025, 1, 1, tzinfo=UTC)),
    "duration": (st.timedeltas(timedelta(days=-9999), timedelta(days=9999)), timedelta(hours=1)),
    "list": (st.lists(hostile, min_size=2, max_size=2), ["a", "b"]),
    "record": (hostile.map(lambda text: {"key": [text]}), {"key": ["a"]}),
}
# what a template has around a value
AROUND = (
    '"', "/", "//", "\n", " ", "\\", "${", "}", "{", "(", ")", "[", "]", "=~", "==", "|>", "=>", ":", ",", ".", "-", "+", "*", "^", "1",
    "2025", "01", "T00:00:00Z", "h", "a", "r", "a:", "not", "or", "return", "if", "then", "else", "exists", "import", "x =", "f(a: ", "(r) =>",
    "é", "@", "option", "_", "with", "<-", "?", "1.",
)  # fmt: skip
around = st.lists(st.sampled_from(AROUND), max_size=6).map("".join)
BASE = SandboxedEnvironment(loader=DictLoader({}), cache_size=0)


def rendered(template: str, value: object) -> str:
    return render(FluxSource(template, "t.flux"), BASE, lambda one: one.render({"x": value}))


def shape_of(client: InfluxClient, flux: str) -> Any:
    """The shape of a script; that of one that the server cannot parse is the same for all."""
    try:
        return shape(client.parse_script(flux))
    except InfluxRollupError:
        return "no Flux"


@given(before=around, after=around, kind=st.sampled_from(sorted(VALUES)), data=st.data())
@settings(max_examples=examples(40))
def test_value_in_any_place_of_a_template_changes_literals_only(
    client: InfluxClient, before: str, after: str, kind: str, data: st.DataObject
) -> None:
    template = f"{before}{{{{ x | flux }}}}{after}"
    strategy, harmless = VALUES[kind]
    try:
        plain = rendered(template, harmless)
    except TemplateInvalid:
        # what is refused is refused for each value: the author learns of it before an attacker does
        with pytest.raises(TemplateInvalid):
            rendered(template, data.draw(strategy))
        return
    assert shape_of(client, rendered(template, data.draw(strategy))) == shape_of(client, plain)


SCRIPT = """import "regexp"
x = {{ x | flux }}
// as {{ x | flux }}
data = from(bucket: {{ x | flux }}) |> range(start: -1h)
  |> filter(fn: (r) => r["_measurement"] == {{ x | flux }} and r._field =~ {{ pattern | flux_regex }} or r[{{ x | flux }}] == {{ n | flux }})
  |> map(fn: (r) => ({r with a: "${ {{ x | flux }} } and", b: {{ x | flux }} + "c", n: 1 - {{ n | flux }} ^ 2, d: {a: {{ x | flux }}}}))
{% for one in several %}  |> filter(fn: (r) => r.a != {{ one | flux }})
{% endfor %}  |> to(bucket: {{ x | flux }})
"""


@given(
    text=hostile,
    pattern=patterns,
    number=st.integers(-9, 9),
    several=st.lists(hostile, min_size=2, max_size=2),
)
@settings(max_examples=examples(40))
def test_script_of_a_template_keeps_its_shape_whatever_its_values(
    client: InfluxClient, text: str, pattern: str, number: int, several: list[str]
) -> None:
    def flux(**values: Any) -> str:
        return render(FluxSource(SCRIPT, "t.flux"), BASE, lambda one: one.render(values))

    plain = shape(client.parse_script(flux(x="a", pattern="a", n=1, several=["a", "b"])))
    assert shape(client.parse_script(flux(x=text, pattern=pattern, n=number, several=several))) == plain


@given(text=hostile, number=st.integers(-9, 9))
@settings(max_examples=examples(20))
def test_parameters_are_literals_whatever_their_values(client: InfluxClient, text: str, number: int) -> None:
    def bound(words: str, count: int) -> dict[str, Any]:
        return extern_file(params={"a": words, "b": [words, words], "c": {"d": words, "n": count}})

    assert shape(bound(text, number)) == shape(bound("a", 1))
    # and the server reads them as such
    flux = 'import "array"\narray.from(rows: [{_value: params.a == params.b[1] and params.a == params.c.d}])'
    assert [row["_value"] for row in client.query(flux, extern=bound(text, number))] == [True]


def allowed(text: str) -> bool:
    """Whether a text can be a name of anything; one with @ is read in a way of its own, and a glob is another filter."""
    try:
        for kind in ("bucket", "measurement", "tag", "field"):
            validate_name(kind, text)  # type: ignore[arg-type]
    except InvalidName:
        return False
    return "@" not in text and not is_glob(text)


names = hostile.map(lambda text: f"{text}é").filter(allowed)


@pytest.mark.parametrize("cls", query_classes(), ids=lambda cls: cls.__name__)
@given(texts=st.lists(names, min_size=12, max_size=12, unique=True), glob=st.sampled_from(["", "*"]))
@settings(max_examples=examples(8))
def test_query_keeps_its_shape_whatever_buckets_measurements_tags_and_fields_are_called(
    client: InfluxClient, cls: type[Any], texts: list[str], glob: str
) -> None:
    def flux(given_texts: list[str]) -> str:
        source = itertools.cycle([glob + text for text in given_texts])
        return str(made(cls, lambda: next(source)).flux())

    harmless = [f"n{number}" for number in range(len(texts))]
    hostile_tree = shape(client.parse_script(flux(texts)))
    assert hostile_tree == shape(client.parse_script(flux(harmless)))


@given(texts=st.lists(names, min_size=7, max_size=7, unique=True))
@settings(max_examples=examples(12))
def test_queries_of_a_lifecycle_file_keep_their_shape_whatever_its_strings(
    client: InfluxClient, tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("lifecycle")

    def trees(
        source: str, measurement: str, field: str, tag: str, value: str, fine: str, coarse: str
    ) -> list[Any]:
        tiers = [
            {"bucket": fine, "every": "5m", "aggregates": ["count", "sum"], "name": "fine"},
            {"bucket": coarse, "every": "1h", "name": "coarse"},
        ]
        declared = {
            "source_bucket": source,
            "measurement": measurement,
            "fields": [field],
            "tags": {tag: [value]},
            "tiers": tiers,
        }
        file = folder / "lifecycle.yaml"
        file.write_text(yaml.safe_dump(declared), encoding="utf-8")
        told = explain_rollups(Lifecycle.from_yaml(file), datetime(2025, 3, 31, tzinfo=UTC), {field: "float"})
        scripts = [script for rollup in told for script in rollup.scripts]
        assert len(scripts) == len(tiers)
        return [shape(client.parse_script(script)) for script in scripts]

    assert trees(*texts) == trees("s", "m", "f", "t", "v", "fine", "coarse")


@given(texts=st.lists(hostile, min_size=3, max_size=3))
@settings(max_examples=examples(20))
def test_filters_keep_their_shape_whatever_they_look_for(client: InfluxClient, texts: list[str]) -> None:
    def flux(values: list[str]) -> str:
        stages = [measurement_filter("m"), field_filter("f"), tag_filter({"t": values[:2], "u": values[2]})]
        return 'from(bucket: "b")\n  |> range(start: 0)\n' + "\n".join(stages)

    assume(len(set(texts[:2])) == 2)
    assert shape(client.parse_script(flux(texts))) == shape(client.parse_script(flux(["a", "b", "c"])))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"a"', '"a" + b'),
        ("a", "b"),
        ('x = "a"', 'y = "a"'),
        ('f(a: "b")', 'f(a: "b") |> g()'),
        ("r.a", 'r["a"]'),
        ("1", '"1"'),
    ],
)
def test_shapes_differ_when_more_than_a_literal_does(client: InfluxClient, one: str, other: str) -> None:
    assert shape(client.parse_script(one)) != shape(client.parse_script(other))


PASTED: list[Callable[[str], str]] = [lambda text: f'x = "{text}"', lambda text: f"x = /{text}/"]


@pytest.mark.parametrize("paste", PASTED)
def test_pasted_value_is_seen_to_change_the_shape(client: InfluxClient, paste: Callable[[str], str]) -> None:
    attack = 'a" y = "b' if paste("") == 'x = ""' else "a/ y = /b"
    assert shape_of(client, paste(attack)) != shape_of(client, paste("a"))
    assert {"StringLiteral", "RegexpLiteral"} <= set(LITERALS)
