"""How deep a script is, compared with the syntax tree; what is too deep is asked of no server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import ScriptInvalid
from airflow_provider_influx_rollup.lifecycle.lint.lint import LintSpec, lint_script
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import plan_gate
from airflow_provider_influx_rollup.lint.depth import MAX_DEPTH, is_too_deep, tree_depth
from airflow_provider_influx_rollup.lint.finding import Severity
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.lint.report import lint_text
from airflow_provider_influx_rollup.lint.tokens import NotFlux
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.lint_corpus import corpus

WINDOW = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 1, tzinfo=UTC))

DEEP: dict[str, Callable[[int], str]] = {
    "signs": lambda count: "x = " + "-" * count + "1",
    "parentheses": lambda count: "x = " + "(" * count + "1" + ")" * count,
    "arrays": lambda count: "x = " + "[" * count + "1" + "]" * count,
    "records": lambda count: "x = " + "{a: " * count + "1" + "}" * count,
    "not": lambda count: "x = " + "not " * count + "true",
    "exists": lambda count: "x = " + "exists " * count + "a",
    "functions": lambda count: "x = " + "() => " * count + "1",
    "blocks": lambda count: "x = " + "() => { return " * count + "1" + "}" * count,
    "defaults": lambda count: "x = " + "(a=" * count + "1" + ") => 1" * count,
    "then": lambda count: "x = " + "if true then " * count + "1" + " else 2" * count,
    "else": lambda count: "x = " + "if true then 1 else " * count + "1",
    "calls of calls": lambda count: "x = f" + "()" * count,
    "calls in calls": lambda count: "x = " + "f(a: " * count + "1" + ")" * count,
    "indexes": lambda count: "x = a" + "[0]" * count,
    "members": lambda count: "x = a" + ".b" * count,
    "sums": lambda count: "x = 1" + " + -2 * (3 - 1)" * count,
    "and": lambda count: "x = exists r.a" + " and not r.b == -1" * count,
    "or": lambda count: 'x = (r) => r["host"] == "0"' + ' or r["host"] == "1"' * count,
    "powers": lambda count: "x = 1" + "^2" * count,
    "pipes": lambda count: "x = a" + " |> f(n: [1, 2])" * count,
    "texts": lambda count: "x = " + '"${' * count + "1" + '}"' * count,
}


def depth_of(node: Any) -> int:
    """Nodes inside of each other, as a syntax tree has them."""
    if isinstance(node, list):
        return max(map(depth_of, node), default=0)
    if isinstance(node, dict):
        return ("type" in node) + max(map(depth_of, node.values()), default=0)
    return 0


@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP)
def test_the_depth_grows_as_that_of_the_tree_does(deep: Callable[[int], str]) -> None:
    depths = [(tree_depth(deep(count)), depth_of(parse_flux(deep(count)))) for count in (10, 20)]
    for told, true in depths:
        assert told < true <= 2 * told + 10
    assert depths[1][0] - depths[0][0] >= 10


@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP)
def test_a_long_chain_is_too_deep_however_long_it_is(deep: Callable[[int], str]) -> None:
    assert is_too_deep(deep(MAX_DEPTH + 1))
    assert is_too_deep(deep(5_000))


@pytest.mark.parametrize(
    "wide",
    [
        "x = [{}1]".format("-1 + 2, " * 5000),
        "\n".join(f"x{number} = -f(a: [{number}])" for number in range(5000)),
        "x = " + "{" + ", ".join(f"a{number}: (r) => not r.b" for number in range(5000)) + "}",
        "f = () => {\n" + "".join(f"x{number} = -1\n" for number in range(5000)) + "return x1\n}",
        '"' + "${a}" * 5000 + '"',
        "x = 1 // " + "(" * 5000,
        'x = "' + "(" * 5000 + '"',
    ],
    ids=["elements", "statements", "properties", "block", "parts", "comment", "text"],
)
def test_what_stands_beside_each_other_is_not_deep(wide: str) -> None:
    assert tree_depth(wide) < 10


def test_no_script_of_people_comes_near_to_the_limit() -> None:
    depths = []
    for script in corpus():
        depths.append(tree_depth(script.text))
        try:
            assert depth_of(parse_flux(script.text)) <= 2 * depths[-1] + 10
        except NotFlux:
            continue
    assert 10 < max(depths) < MAX_DEPTH / 10


@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP)
def test_nobody_asks_a_server_to_parse_what_is_too_deep(deep: Callable[[int], str]) -> None:
    text = deep(2000)
    with pytest.raises(StopIteration) as end:
        next(lint_script(LintSpec(flux=text)))
    for report in (end.value.value, lint_text(text)):
        (finding,) = report.findings
        assert (finding.name, finding.severity) == ("too-deep", Severity.ERROR)
        assert "nested too deeply, or have too many terms" in finding.message
    with pytest.raises(ScriptInvalid, match="too deeply") as refused:
        next(plan_gate(text, window=WINDOW, window_period=Duration.parse("1h")))
    assert refused.value.window == WINDOW
    # nothing listens there
    client = InfluxClient(ClientSettings(url="http://127.0.0.1:9", org="o", token=lambda _: "t"))
    with client, pytest.raises(ScriptInvalid, match="too deeply"):
        client.parse_script(text)
