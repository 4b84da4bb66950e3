from __future__ import annotations

import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module

from airflow_provider_influx_rollup import operators
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.operators._metrics import COUNTERS, GAUGES
from tests.scenes.doc_blocks import CHECKOUT

ROW = re.compile(r"^\| `(\w+)` \| (`\w+Operator`.*) \|$", re.MULTILINE)


def stages(base: type[InfluxStageOperator]) -> Iterator[type[InfluxStageOperator]]:
    for cls in base.__subclasses__():
        yield cls
        yield from stages(cls)


def test_table_of_metrics_has_the_verb_of_every_operator() -> None:
    for module in pkgutil.iter_modules(operators.__path__):
        import_module(f"{operators.__name__}.{module.name}")
    by_verb = defaultdict(set)
    for cls in stages(InfluxStageOperator):
        is_public = not cls.__module__.rpartition(".")[2].startswith("_") and not cls.__name__.startswith("_")
        if (
            is_public
            and cls.__module__.startswith(operators.__name__)
            and cls.verb != InfluxStageOperator.verb
        ):
            by_verb[cls.verb].add(cls.__name__)
    page = (CHECKOUT / "docs/howto/on-call.md").read_text()
    assert {verb: set(re.findall(r"\w+", names)) for verb, names in ROW.findall(page)} == by_verb


def test_table_of_metrics_has_every_name() -> None:
    page = (CHECKOUT / "docs/howto/on-call.md").read_text()
    section = page.partition("## Metrics")[2]
    names = set(re.findall(r"^\| `influx_rollup\.<verb>\.(\w+)`(?:, `\.(\w+)`)? \|", section, re.MULTILINE))
    of_the_end = {"duration", "success", "failed", "retryable"}
    assert {name for pair in names for name in pair if name} == {*COUNTERS.values(), *GAUGES, *of_the_end}
