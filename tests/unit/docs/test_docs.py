from __future__ import annotations

import ast
import inspect
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_influx_rollup import exceptions
from airflow_provider_influx_rollup.aggregates.catalog import CATALOG
from airflow_provider_influx_rollup.get_provider_info import CONNECTION_FIELDS, get_provider_info
from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.lateness import LateArrival, encode_check, encode_lateness
from airflow_provider_influx_rollup.ledger.purges import PurgeMark, encode_certificate, encode_mark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.ledger.validation import RuleResult, encode_validation
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.archive_expiring import ArchiveExpiringOperator
from airflow_provider_influx_rollup.operators.branch import FluxBranchOperator, FluxShortCircuitOperator
from airflow_provider_influx_rollup.operators.compact import CompactArchiveOperator
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.erase import EraseSeriesOperator
from airflow_provider_influx_rollup.operators.export import ExportArchiveOperator
from airflow_provider_influx_rollup.operators.lateness import LatenessReportOperator
from airflow_provider_influx_rollup.operators.lint import FluxLintOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.doc_blocks import CHECKOUT, PAGES, Block, blocks

DOCS = CHECKOUT / "docs"
OPERATORS: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        FluxRollupOperator,
        FluxReconcileOperator,
        FluxValidateOperator,
        DeadmanCheckOperator,
        LatenessReportOperator,
        ArchiveWindowOperator,
        ArchiveExpiringOperator,
        PurgeWindowOperator,
        EraseSeriesOperator,
        CompactArchiveOperator,
        ExportArchiveOperator,
        WindowCompleteSensor,
        FluxQueryOperator,
        FluxBranchOperator,
        FluxShortCircuitOperator,
        FluxLintOperator,
    )
}
DAG_EXAMPLES = [block for block in blocks("python") if "with DAG(" in block.text]


def parameters(cls: type[Any]) -> set[str]:
    """What the constructor and those above it take, without Airflow's own."""
    ours = [one for one in cls.__mro__ if one.__module__.startswith("airflow_provider_influx_rollup")]
    names = {name for one in ours for name in inspect.signature(one).parameters}
    return names - {"self", "args", "kwargs"}


def all_parameters(cls: type[Any]) -> set[str]:
    return {name for one in cls.__mro__ for name in inspect.signature(one.__init__).parameters}


def code_words(page: str) -> set[str]:
    """Everything that a page sets as code."""
    return set(re.findall(r"`([^`\n]+)`", (DOCS / page).read_text()))


def test_pages_have_examples_when_they_are_collected() -> None:
    assert len(PAGES) > 20
    assert len(DAG_EXAMPLES) >= 6
    assert len(blocks("flux")) >= 8


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles_when_a_page_shows_it(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_read_when_a_page_shows_it(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.airflow
@pytest.mark.parametrize("block", DAG_EXAMPLES, ids=str)
def test_dag_has_tasks_when_its_example_is_executed(block: Block) -> None:
    if "from airflow.sdk import" in block.text:
        pytest.importorskip("airflow.sdk", reason="an example for Airflow 3")
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            node.items[0].optional_vars = ast.Name("dag_of_example", ast.Store())
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(compile(ast.fix_missing_locations(tree), str(block), "exec"), namespace)  # noqa: S102 - our own page
    assert namespace["dag_of_example"].task_ids


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_parameters_exist_when_an_example_gives_them(block: Block) -> None:
    calls = [node for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Call)]
    unknown = [
        f"{call.func.id}({keyword.arg}=)"
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in OPERATORS
        for keyword in call.keywords
        if keyword.arg and keyword.arg not in all_parameters(OPERATORS[call.func.id])
    ]
    assert unknown == []


def test_every_error_has_its_row_when_on_call_reads_the_table() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (permanent|transient) \|", (DOCS / "howto/on-call.md").read_text(), re.MULTILINE
    )
    tree = {
        name: "permanent" if cls.permanent else "transient"
        for name, cls in vars(exceptions).items()
        if inspect.isclass(cls) and issubclass(cls, exceptions.InfluxRollupError)
    }
    assert dict(rows) == tree


def test_every_parameter_is_named_when_the_reference_lists_them() -> None:
    named = code_words("reference/operators.md")
    for cls in OPERATORS.values():
        assert parameters(cls) - named == set(), cls.__name__


def test_every_parameter_is_named_when_the_guide_of_rollups_is_read() -> None:
    named = code_words("howto/rollup.md") | code_words("howto/own-script.md")
    assert parameters(FluxRollupOperator) - named == set()


def test_every_aggregate_has_its_row_when_the_guide_lists_them() -> None:
    assert set(CATALOG) - code_words("howto/rollup.md") == set()


def test_every_extra_and_option_is_named_when_the_pages_list_them() -> None:
    assert set(CONNECTION_FIELDS) - code_words("reference/connection.md") == set()
    install = (DOCS / "install.md").read_text()
    options = get_provider_info()["config"]["influx_rollup"]["options"]
    for name, option in options.items():
        assert f"\n{name} = {option['default'] or ''}" in install


def test_every_tag_and_field_is_named_when_the_ledger_page_describes_them() -> None:
    window = Interval(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC))
    lines = encode_receipts(
        [Receipt(pipeline="p", stage="rollup", window=window, state=State.COMMITTED, written_at=window.stop)]
    )
    series = (((("site", "a"),), 1),)
    lines += encode_lateness(
        [
            LateArrival(
                pipeline="p",
                measurement="m",
                window=window,
                generation=2,
                points=1,
                at_least_seconds=0.0,
                at_most_seconds=1.0,
                found_at=window.stop,
                by_series=series,
            )
        ]
    )
    lines += encode_check("p", [window], window.stop)
    result = RuleResult(
        name="r",
        kind="range",
        severity="error",
        checked=2,
        violations=1,
        unit="points",
        is_violated=True,
        quarantined=1,
        examples=[],
    )
    lines += encode_validation("v", "m", window, [result], {"dag_id": "d", "task_id": "t", "run_id": "r"})
    lines.append(
        encode_mark(
            PurgeMark(
                bucket="b",
                measurement="m",
                window=window,
                state="purged",
                generation=1,
                compared_at=window.stop,
            )
        )
    )
    ended, span, deleted = "2025-01-02T00:00:00Z", window.as_json(), {"rows": 1}
    said = {"bucket": "b", "measurement": "m", "ended_at": ended, "number": 1, "kind": "purge"}
    lines.append(encode_certificate({**said, "window": span, "deleted": deleted}, "00", "/p", b"{}"))
    stored = {name for line in lines for name in re.findall(r"[, ]([a-z_0-9]+)=", line)}
    assert len(stored) > 15
    assert stored - code_words("reference/ledger.md") == set()
    assert {state.value for state in State} - code_words("reference/ledger.md") == set()
