from __future__ import annotations

import inspect
import pkgutil
import re
from collections import defaultdict
from importlib import import_module

from airflow_provider_influx_rollup import operators
from airflow_provider_influx_rollup.metrics import (
    COUNTED_REQUESTS,
    COUNTERS,
    GAUGES,
    QUERY_MEMORY,
    TIMERS,
)
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from tests.scenes.doc_blocks import CHECKOUT

ROW = re.compile(r"^\| `(\w+)` \| (`\w+Operator`.*) \|$", re.MULTILINE)


def stages() -> list[type[InfluxStageOperator]]:
    """The stages that users import."""
    names = [module.name for module in pkgutil.iter_modules(operators.__path__)]
    modules = [import_module(f"{operators.__name__}.{name}") for name in names if not name.startswith("_")]
    return [
        cls
        for module in modules
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, InfluxStageOperator)
        and cls.__module__ == module.__name__
        and not name.startswith("_")
    ]


def test_table_of_metrics_has_the_verb_of_every_operator() -> None:
    by_verb = defaultdict(set)
    for cls in stages():
        if cls.verb != InfluxStageOperator.verb:
            by_verb[cls.verb].add(cls.__name__)
    page = (CHECKOUT / "docs/howto/on-call.md").read_text()
    assert {verb: set(re.findall(r"\w+", names)) for verb, names in ROW.findall(page)} == by_verb


def test_table_of_metrics_has_every_name() -> None:
    page = (CHECKOUT / "docs/howto/on-call.md").read_text()
    section = page.partition("## Metrics")[2]
    names = set(re.findall(r"^\| `influx_rollup\.<verb>\.(\w+)`(?:, `\.(\w+)`)? \|", section, re.MULTILINE))
    of_the_end = {"duration", "success", "failed", "retryable", "ready_to_success"}
    known = {
        *COUNTERS.values(),
        *GAUGES,
        *TIMERS.values(),
        *COUNTED_REQUESTS,
        QUERY_MEMORY,
        *of_the_end,
    }
    assert {name for pair in names for name in pair if name} == known


#: what `promtool check metrics` calls wrong in a name: types, parts that Prometheus adds, units that are short or no base units
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}
ADDED = {"total", "count", "sum", "bucket", "info", "created"}
SHORT_UNITS = {"s", "ms", "us", "ns", "sec", "secs", "b", "kb", "mb", "gb", "tb", "pb", "m", "min", "h", "d"}
SCALED_UNITS = re.compile(r"(milli|micro|nano|kilo|mega|giga)\w+|minutes?|hours?|days?|weeks?|bits?|percent")


def test_names_keep_the_rules_of_promtool() -> None:
    of_the_end = {"duration", "success", "failed", "retryable", "ready_to_success"}
    names = {*COUNTERS.values(), *GAUGES, *TIMERS.values(), *COUNTED_REQUESTS, QUERY_MEMORY, *of_the_end}
    for name in {f"airflow_influx_rollup_{cls.verb}_{name}" for cls in stages() for name in names}:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)
        words = set(name.split("_"))
        assert not words & (TYPES | SHORT_UNITS), name
        assert name.split("_")[-1] not in ADDED
        assert not [word for word in words if SCALED_UNITS.fullmatch(word)], name
