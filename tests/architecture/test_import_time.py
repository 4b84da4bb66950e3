"""What a DAG file loads, and how long that takes: the scheduler pays it again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_influx_rollup"
HEAVY = {"influxdb_client", "pandas", "pyarrow", "numpy", "matplotlib"}
ENTRANCES = [
    "hooks",
    "operators",
    "sensors",
    "triggers",
    "decorators",
    "links",
    "task_groups",
    "get_provider_info",
]
EXAMPLES = sorted(str(path) for path in (CHECKOUT / "example_dags").glob("*.py") if path.stem != "__init__")
RUNS = 3

# Airflow itself may import a heavy library; only what comes after its base classes counts. They take seconds to load, so
# one process loads them, and each look is a fork of it that has loaded nothing else yet.
PROGRAM = """
import importlib, importlib.util, json, os, pkgutil, sys, time
import airflow.providers.common.compat.sdk as sdk
sdk.BaseOperator, sdk.BaseHook, sdk.BaseSensorOperator
import airflow.triggers.base


def load_package(name):
    package = importlib.import_module(name)
    yield package.__name__
    for found in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
        # what the web server of 2.11 alone can load, and loads when it shows the form
        if found.name.endswith(".hooks.connection_form"):
            continue
        yield importlib.import_module(found.name).__name__


def load_file(path):
    spec = importlib.util.spec_from_file_location("example", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    yield path


for look in json.load(sys.stdin):
    sys.stdout.flush()
    child = os.fork()
    if not child:
        before, began = set(sys.modules), time.perf_counter()
        imported = [name for what in look for name in (load_file if what.endswith(".py") else load_package)(what)]
        seconds = time.perf_counter() - began
        added = sorted(set(sys.modules) - before)
        print(json.dumps({"imported": imported, "added": added, "seconds": seconds}), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"could not load {look}")
"""

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def loads() -> dict[str, dict[str, Any]]:
    """What each entrance, the operators alone and the example DAGs load; seconds are the best of several runs."""
    operators = [f"{PACKAGE}.operators", f"{PACKAGE}.sensors"]
    looks = [[f"{PACKAGE}.{entrance}"] for entrance in ENTRANCES] + [EXAMPLES] + [operators] * RUNS
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        input=json.dumps(looks),
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"imported"')]
    assert len(found) == len(looks)
    seconds = min(look["seconds"] for look in found[-RUNS:])
    return dict(zip([*ENTRANCES, "examples"], found, strict=False)) | {
        "timed": {**found[-1], "seconds": seconds}
    }


def heavy_libraries(load: dict[str, Any]) -> set[str]:
    return {name for name in load["added"] if name.partition(".")[0] in HEAVY}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_no_heavy_library_is_loaded_when_a_dag_file_imports(
    loads: dict[str, dict[str, Any]], entrance: str
) -> None:
    assert f"{PACKAGE}.{entrance}" in loads[entrance]["imported"]
    assert heavy_libraries(loads[entrance]) == set()


def test_no_heavy_library_is_loaded_when_the_example_dags_are_parsed(
    loads: dict[str, dict[str, Any]],
) -> None:
    assert loads["examples"]["imported"] == EXAMPLES != []
    assert f"{PACKAGE}.operators.rollup" in loads["examples"]["added"]
    assert heavy_libraries(loads["examples"]) == set()


def test_time_is_told_when_the_operators_are_imported(
    loads: dict[str, dict[str, Any]], record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = loads["timed"]["seconds"]
    record_property("import_seconds", seconds)
    with capsys.disabled():
        # the time depends on the machine, so it is told and not judged
        print(  # noqa: T201
            f"\nimporting operators and sensors: {seconds:.3f} s more than Airflow's base classes (best of {RUNS})"
        )
    assert f"{PACKAGE}.operators.rollup" in loads["timed"]["added"]
