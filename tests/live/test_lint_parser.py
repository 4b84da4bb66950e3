"""The own reader of Flux makes the server's tree, and refuses only what the server refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.lint.lint import LintSpec, lint_script
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.lint.report import lint_text
from airflow_provider_influx_rollup.lint.tokens import NotFlux, tokens_of
from dev.lint_corpus import corpus
from tests.scenes.doc_blocks import blocks
from tests.scenes.examples import examples

pytestmark = pytest.mark.live

SMALL = [
    'e = "éé" x = now()',
    'f = (a, b=1, t=<-) => { return t |> map(fn: (r) => ({r with "x y": -a, b: 2})) }',
    'd = ["a": 1] e = [:] g = [] h = {} i = [1, 2,] j = {a: 1, b: 2,}',
    'k = x["a"] l = x[1] m = not exists x.y and 2 ^ 3 * 4 == 1.5 n = a.b.c(d: 1)[2]',
    'option a.b = [1] s = "a${x}b" n = if x then 1 else if y then 2 else 3',
    'p = "é\\x41\\n" q = "a\nb" r = .5 s = "\\xc3\\xa9" t = "\\${a}" u = "${f(a: {b: 1})} ${"x${y}"}"',
    "l = (1) d = 1h30m x = -1h t = 2020-01-01 u = a - -b v = 2020-01-01T01:02:03.5+01:00 w = 1µs y = 1hr",
    'a = 4 / 2 / 1 b = x.y / 3 c = /a\\/b/ d = r =~ /x"y/ e = r !~ /[/]/',
    'import m "math"\nimport "x/y"\nx = m.pi',
    "f(a: 1, b: 2,)\nf(a, b)\nx = {a, b}\nin = 1\nempty = 2",
    "package foo\n// only\n",
]
JUNK = st.sampled_from(
    """( ) { } [ ] , : . |> => = == - not and or if then else exists with "a" 1 1h x / /a/ <- return option import 1.5 % in " \\ $ #
    test builtin @ 0 µ""".split()  # noqa: SIM905
)


def server_tree(client: InfluxClient, text: str) -> Any:
    return compared(client.parse_script(text))


def compared(node: Any) -> Any:
    """What a tree says, without comments, texts and the package's name."""
    if isinstance(node, list):
        return [compared(one) for one in node]
    if not isinstance(node, dict):
        return int(node) if isinstance(node, float) and node.is_integer() else node
    kind = node.get("type")
    kept = {
        key: compared(value)
        for key, value in node.items()
        if value is not None and key not in _UNCOMPARED and not (kind == "Package" and key == "package")
    }
    # the two have places of calls, names, texts and functions in common, and of what is made of them
    if kind in (
        "File",
        "Package",
        "TextPart",
        "InterpolatedPart",
        "DictItem",
        "ObjectExpression",
        "Property",
    ):
        kept.pop("location", None)
    if kind == "File":
        kept.setdefault("imports", [])
        kept.pop("package", None)
    return kept


_UNCOMPARED = frozenset(
    """comments metadata source file lparen rparen lbrace rbrace lbrack rbrack separator arrow tif tthen telse eof
    assign""".split()  # noqa: SIM905
)


def texts() -> Iterator[str]:
    yield from SMALL
    yield from (block.text for block in blocks("flux"))
    yield from (one.text for one in corpus())


@pytest.mark.parametrize("text", list(texts()))
def test_trees_are_equal_when_the_server_reads_a_script(client: InfluxClient, text: str) -> None:
    try:
        own = parse_flux(text)
    except NotFlux:
        with pytest.raises(Exception, match="invalid AST"):
            client.parse_script(text)
        return
    assert compared(own) == server_tree(client, text)


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A script of the corpus with one or two tokens gone, doubled, replaced or put in."""
    text = draw(st.sampled_from([one.text for one in corpus()]))
    for _ in range(draw(st.integers(1, 2))):
        try:
            tokens = tokens_of(text)[:-1]
        except NotFlux:
            break
        if not tokens:
            break
        token = draw(st.sampled_from(tokens))
        old = text[token.start : token.end]
        new = draw(st.sampled_from(["", f"{old} {old}", f" {draw(JUNK)} {old}", draw(JUNK)]))
        text = text[: token.start] + new + text[token.end :]
    return text


@settings(
    max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(text=broken())
def test_a_text_is_called_no_flux_only_when_the_server_cannot_compile_it(
    client: InfluxClient, text: str
) -> None:
    alone = lint_text(text)
    report = drive(lint_script(LintSpec(flux=text)), client, lambda _report: None)
    json.dumps(report.as_json())
    if any(one.name == "syntax" for one in alone.findings):
        names = {one.name for one in report.findings}
        assert names & {"syntax", "semantics"}, re.sub(r"\s+", " ", text)
