"""Lint of scripts with typos: it always ends, with a report, in a number of steps that does not explode."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.lint.report import lint_text
from dev.lint_corpus import corpus
from tests.scenes.examples import examples

# the longest script of the corpus takes a tenth of it
MOST_CALLS = 1_000_000
TOKEN = re.compile(r"\w+|\s+|\"[^\"]*\"|[^\w\s]")
SCRIPTS = [TOKEN.findall(script.text) for script in corpus()]


class TooManyCallsError(Exception):
    """Lint has made more calls than any script should take."""


@contextmanager
def counted_calls(most: int) -> Iterator[None]:
    """Refuse more calls of functions than this: a limit that does not depend on the machine."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"
        if calls > most:
            raise TooManyCallsError

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A script with a few tokens left out, doubled, or replaced by others of its own."""
    tokens = list(draw(st.sampled_from(SCRIPTS)))
    words = sorted({token for token in tokens if token.isidentifier()})
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(tokens) - 1))
        kind = draw(st.sampled_from(["drop", "double", "rename", "name itself", "move"]))
        if kind == "drop" and len(tokens) > 1:
            del tokens[at]
        elif kind == "double":
            tokens[at:at] = tokens[at : at + draw(st.integers(1, 12))]
        elif kind == "rename":
            tokens[at] = draw(st.sampled_from(words))
        elif kind == "name itself":
            name = draw(st.sampled_from(words))
            tokens[at:at] = [f"\n{name} = {name} + {draw(st.sampled_from(words))}\n"]
        elif kind == "move":
            tokens.insert(draw(st.integers(0, len(tokens) - 1)), tokens[at])
    return "".join(tokens)


@settings(max_examples=examples(400))
@given(mutated())
def test_lint_ends_when_a_script_has_typos(text: str) -> None:
    with counted_calls(MOST_CALLS):
        report = lint_text(text)
    lines = len(text.split("\n"))
    assert all(1 <= finding.line <= lines for finding in report.findings)


NAMES = ["a", "b", "c"]
VALUES = st.recursive(
    st.sampled_from(
        [*NAMES, "a()", "b()", "c()", "a.x", "b.x", "now()", "-1h", 'from(bucket: "x")', "v.timeRangeStart"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" + ", " |> c()\n |> ", " |> a() |> "]), inner).map("".join),
        inner.map(lambda one: f"() => {one}"),
        inner.map(lambda one: f"(t=<-) => t |> b() |> {one}"),
        inner.map(lambda one: f"{{x: {one}}}"),
        inner.map(lambda one: f"({one}).x.x"),
    ),
    max_leaves=4,
)


@settings(max_examples=examples(400))
@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), min_size=1, max_size=4), VALUES)
def test_lint_ends_when_names_stand_for_themselves(assigned: list[tuple[str, str]], start: str) -> None:
    text = "\n".join(f"{name} = {value}" for name, value in assigned)
    with counted_calls(MOST_CALLS):
        lint_text(f'{text}\na |> range(start: {start}) |> b() |> to(bucket: "y")\n')
