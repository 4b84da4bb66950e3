"""Each parameter of an operator does something; what would do nothing is refused while the DAG is parsed."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators._options import OPTIONS
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.archive_expiring import ArchiveExpiringOperator
from airflow_provider_influx_rollup.operators.branch import FluxBranchOperator, FluxShortCircuitOperator
from airflow_provider_influx_rollup.operators.compact import CompactArchiveOperator
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.erase import EraseSeriesOperator
from airflow_provider_influx_rollup.operators.export import ExportArchiveOperator
from airflow_provider_influx_rollup.operators.lateness import LatenessReportOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.query_batch import FluxQueryBatchOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.restore import RestoreArchiveOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor

PLACE = {"bucket": "b", "measurement": "m", "path": "/archive"}
#: the least that each operator needs
LEAST: dict[type[Any], dict[str, Any]] = {
    ArchiveWindowOperator: PLACE,
    ArchiveExpiringOperator: {**PLACE, "every": "1d"},
    PurgeWindowOperator: {**PLACE, "require_pipelines": []},
    EraseSeriesOperator: {**PLACE, "tags": {"a": "b"}},
    CompactArchiveOperator: {**PLACE, "into": "1d"},
    ExportArchiveOperator: {**PLACE, "table": "/table"},
    RestoreArchiveOperator: {"path": "/archive", "measurement": "m", "source_bucket": "b"},
    LatenessReportOperator: {},
    FluxQueryOperator: {"flux": "buckets()"},
    FluxQueryBatchOperator: {"flux": "buckets()"},
    FluxBranchOperator: {"flux": "buckets()", "follow_task_ids_if_true": "x"},
    FluxShortCircuitOperator: {"flux": "buckets()"},
    DeadmanCheckOperator: {"bucket": "b", "measurement": "m"},
    FluxValidateOperator: {"bucket": "b", "measurement": "m", "rules": [{"rule": "future"}]},
    FluxReconcileOperator: {"pipeline": "p"},
    FluxRollupOperator: {"target_bucket": "t", "flux": "buckets()"},
}
VALUES: dict[str, Any] = {
    "start": "2026-01-01T00:00:00Z",
    "stop": "2026-01-02T00:00:00Z",
    "window": "1d",
    "every": "1h",
    "offset": "0s",
    "timezone": "UTC",
    "lateness": "0s",
    "pipeline": "p",
    "ledger_bucket": "l",
    "dry_run": False,
    "max_rows_per_read": 5,
    "deferrable": True,
    "partitions": False,
}
ARCHIVES = {"lateness", "every", "max_rows_per_read", "deferrable"}
REFUSED: dict[type[Any], set[str]] = {
    ArchiveWindowOperator: set(),
    ArchiveExpiringOperator: {"start", "stop", "window", "deferrable"},
    PurgeWindowOperator: {"lateness", "deferrable"},
    EraseSeriesOperator: {"window", "every", "offset", "lateness", "deferrable"},
    CompactArchiveOperator: ARCHIVES,
    ExportArchiveOperator: ARCHIVES,
    RestoreArchiveOperator: {"lateness", "every", "deferrable"},
    LatenessReportOperator: ARCHIVES,
    FluxQueryOperator: {"lateness", "pipeline", "ledger_bucket", "dry_run", "max_rows_per_read"},
    FluxQueryBatchOperator: {"lateness", "pipeline", "ledger_bucket", "dry_run", "max_rows_per_read"},
    FluxBranchOperator: {"lateness", "pipeline", "ledger_bucket", "dry_run", "max_rows_per_read"},
    FluxShortCircuitOperator: {"lateness", "pipeline", "ledger_bucket", "dry_run", "max_rows_per_read"},
    DeadmanCheckOperator: {"lateness", "pipeline", "ledger_bucket", "max_rows_per_read"},
    FluxValidateOperator: {"every", "max_rows_per_read"},
    FluxReconcileOperator: {"max_rows_per_read"},
    FluxRollupOperator: {"max_rows_per_read"},
}
#: those that have asset events
TELLING = {
    FluxRollupOperator: 1,
    FluxReconcileOperator: 1,
    ArchiveWindowOperator: 1,
    RestoreArchiveOperator: 1,
    CompactArchiveOperator: 1,
    ExportArchiveOperator: 1,
    PurgeWindowOperator: 1,
    # the points and the archive
    EraseSeriesOperator: 2,
    # nothing, before it is told where to copy points to
    FluxValidateOperator: 0,
}
REFUSED = {cls: names if cls in TELLING else {*names, "partitions"} for cls, names in REFUSED.items()}
WHERE = [(cls, name) for cls in LEAST for name in VALUES]


@pytest.mark.parametrize(("cls", "name"), WHERE, ids=[f"{cls.__name__}-{name}" for cls, name in WHERE])
def test_parameter_is_refused_when_it_would_have_no_effect(cls: type[Any], name: str) -> None:
    given = {**LEAST[cls], name: VALUES[name]}
    if cls is FluxReconcileOperator and name == "every":
        given |= {"source_bucket": "s", "target_bucket": "t", "measurement": "m", "aggregates": ["sum"]}
    if name not in REFUSED[cls]:
        cls(task_id="stage", **given)
        return
    with pytest.raises(ConfigurationError) as caught:
        cls(task_id="stage", **given)
    message = str(caught.value)
    assert f"{cls.__name__} 'stage'" in message
    assert name in message or "cannot be deferred" in message
    assert "Written: nothing. To do: leave " in message


@pytest.mark.parametrize("cls", LEAST, ids=lambda cls: cls.__name__)
def test_assets_are_made_by_the_stages_that_write_windows_and_refused_elsewhere(cls: type[Any]) -> None:
    if cls in TELLING:
        if TELLING[cls]:
            assert len(cls(task_id="stage", **LEAST[cls], outlets="auto").outlets) == TELLING[cls]
        with pytest.raises(ConfigurationError, match="partitions=True has no effect without outlets='auto'"):
            cls(task_id="stage", **LEAST[cls], partitions=True)
        return
    with pytest.raises(ConfigurationError, match=r'writes nothing .* leave outlets="auto" out'):
        cls(task_id="stage", **LEAST[cls], outlets="auto")


def test_all_names_are_told_when_several_would_have_no_effect() -> None:
    with pytest.raises(ConfigurationError, match=r"does not take every, lateness, .*leave them out"):
        CompactArchiveOperator(task_id="c", **LEAST[CompactArchiveOperator], lateness="5m", every="1h")


CONTRADICTIONS = [
    (
        FluxReconcileOperator,
        {"pipeline": "p", "fields": ["a"], "group_by": []},
        "fields, group_by would have",
    ),
    (FluxReconcileOperator, {"pipeline": "p", "compute": "server"}, "compute would have no effect"),
    (
        FluxReconcileOperator,
        {"pipeline": "p", "lookback": "7d", "start": "2026-01-01T00:00:00Z", "stop": "2026-01-02T00:00:00Z"},
        "start and stop would have no effect beside lookback",
    ),
    (FluxRollupOperator, {"target_bucket": "t", "flux": "x", "windows": "ending"}, "windows='ending' would"),
    (
        FluxRollupOperator,
        {"target_bucket": "t", "flux": "x", "empty_windows": "skip"},
        "empty_windows='skip' would have no effect on a script",
    ),
]


@pytest.mark.parametrize(("cls", "given", "words"), CONTRADICTIONS, ids=str)
def test_parameter_is_refused_when_another_one_takes_its_effect(
    cls: type[Any], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        cls(task_id="stage", **given)


@pytest.mark.parametrize("cls", LEAST, ids=lambda cls: cls.__name__)
def test_tasks_take_of_default_args_what_they_know_when_a_dag_has_them(cls: type[Any]) -> None:
    shared = {name: value for name, value in VALUES.items() if name not in ("every", "dry_run")}
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args=shared):
        task = cls(task_id="stage", **LEAST[cls])
    taken = {name for name in shared if getattr(task, name, None) == shared[name]}
    assert taken == {name for name in shared if name not in REFUSED[cls]}


@pytest.mark.parametrize("cls", LEAST, ids=lambda cls: cls.__name__)
def test_default_deferrable_applies_to_those_that_can_be_deferred(
    cls: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__DEFAULT_DEFERRABLE", "True")
    task = cls(task_id="stage", **LEAST[cls])
    assert getattr(task, "deferrable", False) == ("deferrable" not in REFUSED[cls])
    assert getattr(cls(task_id="again", **LEAST[cls], deferrable=False), "deferrable", False) is False


def test_every_template_field_is_a_parameter_that_is_kept() -> None:
    for cls, least in LEAST.items():
        task = cls(task_id="stage", **least)
        assert [name for name in cls.template_fields if not hasattr(task, name)] == []
        assert len(set(cls.template_fields)) == len(cls.template_fields)


def test_receipts_are_linked_from_stages_that_have_them_only() -> None:
    for cls in LEAST:
        names = {link.name for link in cls.operator_extra_links}
        is_known = "ledger_bucket" not in REFUSED[cls]
        of_ledger = {"InfluxDB receipts", "Windows"} if is_known else set()
        assert names == {"InfluxDB data", *of_ledger}


# --- what a task's methods read, by their source ---

PACKAGE = "airflow_provider_influx_rollup"
ENTRIES = (
    "execute",
    "execute_complete",
    "execute_due",
    "post_execute",
    "resolve_template_files",
    "_do_render_template_fields",
    "poke",
)


def parsed(function: Any) -> ast.FunctionDef:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    assert isinstance(node, ast.FunctionDef)
    return node


def own_classes(cls: type[Any]) -> list[type[Any]]:
    return [one for one in cls.__mro__ if one.__module__.startswith(PACKAGE)]


def parameters(cls: type[Any]) -> Iterator[tuple[str, set[str]]]:
    """Each parameter of the class and its bases, with the attributes that are made of it."""
    for one in own_classes(cls):
        if "__init__" not in vars(one):
            continue
        made = parsed(vars(one)["__init__"])
        for argument in made.args.kwonlyargs:
            attributes = set()
            for node in ast.walk(made):
                if isinstance(node, ast.Assign) and argument.arg in names_in(node.value):
                    attributes |= {
                        one.attr for one in ast.walk(node.targets[0]) if isinstance(one, ast.Attribute)
                    }
            yield argument.arg, attributes


def names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def attributes_read(cls: type[Any]) -> set[str]:
    """Attributes that the methods read which a run of the task can get to."""
    read: set[str] = set()
    wait: list[tuple[str, ModuleType | None]] = [(name, None) for name in ENTRIES]
    seen = set()
    while wait:
        place = wait.pop()
        if place in seen:
            continue
        seen.add(place)
        name, module = place
        for function, where in definitions(cls, name, module):
            for attribute in attributes_of(function, function.args.args[0].arg):
                read.add(attribute)
                wait.append((attribute, None))
            for node in ast.walk(function):
                # functions that get the task itself, such as declared_rollup(self, ...)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    given = [one.id for one in node.args if isinstance(one, ast.Name)]
                    if function.args.args[0].arg in given:
                        wait.append((node.func.id, where))
    return read


def definitions(
    cls: type[Any], name: str, module: ModuleType | None
) -> Iterator[tuple[ast.FunctionDef, ModuleType]]:
    if module is not None:
        function = getattr(module, name, None)
        if inspect.isfunction(function) and function.__module__.startswith(PACKAGE):
            yield parsed(function), inspect.getmodule(function)  # type: ignore[misc]
        return
    for one in own_classes(cls):
        found = vars(one).get(name)
        found = getattr(found, "func", found)
        if inspect.isfunction(found):
            yield parsed(found), inspect.getmodule(one)  # type: ignore[misc]


def attributes_of(function: ast.FunctionDef, subject: str) -> set[str]:
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == subject
    }


@pytest.mark.parametrize("cls", [*LEAST, WindowCompleteSensor], ids=lambda cls: cls.__name__)
def test_every_parameter_is_read_by_what_a_run_of_the_task_can_get_to(cls: type[Any]) -> None:
    read = attributes_read(cls)
    # these are read by name, all of OPTIONS in one place
    by_name = set(OPTIONS) if cls is FluxRollupOperator else set()
    found = dict(parameters(cls))
    assert "influx_conn_id" in found
    assert [name for name, attributes in found.items() if not attributes & (read | by_name)] == []


class Heedless(FluxQueryOperator):
    def __init__(self, *, ignored: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignored = ignored

    def never_called(self) -> str:
        return self.ignored


def test_parameter_is_found_unread_when_only_a_method_that_nothing_calls_reads_it() -> None:
    Heedless.__module__ = f"{PACKAGE}.operators.heedless"
    assert ("ignored", {"ignored"}) in list(parameters(Heedless))
    assert "flux" in attributes_read(Heedless)
    assert "ignored" not in attributes_read(Heedless)


@pytest.mark.parametrize("cls", LEAST, ids=lambda cls: cls.__name__)
def test_fields_that_hold_mappings_are_shown_as_such(cls: type[Any]) -> None:
    annotations = {
        name: str(parameter.annotation)
        for base in reversed(cls.__mro__)
        if "__init__" in vars(base)
        for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items()
    }
    mappings = {
        name
        for name in cls.template_fields
        if any(word in annotations.get(name, "") for word in ("Mapping", "ExpectedSeries"))
    }
    assert mappings - set(cls.template_fields_renderers) == set()
    assert set(cls.template_fields_renderers) - set(cls.template_fields) == set()
