"""The dashboard of metrics asks for metrics that stages have, by names that Prometheus takes."""

from __future__ import annotations

import json
import re

from airflow_provider_influx_rollup.metrics import (
    COUNTED_REQUESTS,
    COUNTERS,
    GAUGES,
    QUERY_MEMORY,
    TIMERS,
)
from tests.scenes.doc_blocks import CHECKOUT
from tests.unit.docs.test_metrics import stages

STAGES = json.loads((CHECKOUT / "docs/dashboards/stages.json").read_text())
EXPRESSIONS = [target["expr"] for panel in STAGES["panels"] for target in panel["targets"]]
NAME = re.compile(r"airflow_influx_rollup_\$\{verb\}_(\w+)")
OF_THE_END = {"duration", "success", "failed", "retryable", "ready_to_success"}


def test_every_metric_is_shown_and_no_other() -> None:
    shown = {name for text in EXPRESSIONS for name in NAME.findall(text)}
    known = {*COUNTERS.values(), *GAUGES, *TIMERS.values(), *COUNTED_REQUESTS, QUERY_MEMORY, *OF_THE_END}
    assert shown == known


def test_every_verb_can_be_chosen() -> None:
    (verbs,) = [one["query"].split(",") for one in STAGES["templating"]["list"] if one["name"] == "verb"]
    assert set(verbs) == {cls.verb for cls in stages() if cls.verb != "stage"}


def test_names_are_those_of_prometheus() -> None:
    for text in EXPRESSIONS:
        for verb in ("rollup", "task_run"):
            names = re.findall(r"airflow_\w+", text.replace("${verb}", verb))
            assert names
            assert all(re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", name) for name in names)
        assert text.count("(") == text.count(")")
