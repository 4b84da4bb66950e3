from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"
HEAVY = {"influxdb_client", "pandas", "pyarrow", "numpy"}
RUNS = 3
# what is loaded after Airflow's own base classes, and how long it takes
OPERATORS = """
import json, sys, time
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator
before, began = set(sys.modules), time.perf_counter()
import airflow_provider_influx_rollup.operators.rollup
import airflow_provider_influx_rollup.operators.deadman
import airflow_provider_influx_rollup.sensors.window
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "added": sorted(set(sys.modules) - before)}))
"""
EXAMPLE_DAGS = """
import importlib.util, json, sys
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator
before, parsed = set(sys.modules), []
for path in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("example", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parsed.append(path)
print(json.dumps({"parsed": parsed, "added": sorted(set(sys.modules) - before)}))
"""


def run_program(program: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def loaded_libraries(result: dict[str, Any]) -> set[str]:
    return {name for name in result["added"] if name.partition(".")[0] in HEAVY}


def test_operators_load_no_heavy_library_when_they_are_imported(
    record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [run_program(OPERATORS) for _ in range(RUNS)]
    seconds = min(result["seconds"] for result in results)
    record_property("import_seconds", seconds)
    with capsys.disabled():
        # the time depends on the machine, so it is told and not judged
        print(  # noqa: T201
            f"\nimporting the operators: {seconds:.3f} s more than Airflow's base classes (best of {RUNS})"
        )
    assert "airflow_provider_influx_rollup.operators.rollup" in results[0]["added"]
    assert loaded_libraries(results[0]) == set()


def test_example_dags_load_no_heavy_library_when_they_are_parsed() -> None:
    files = sorted(str(path) for path in EXAMPLES.glob("*.py") if path.name != "__init__.py")
    result = run_program(EXAMPLE_DAGS, *files)
    assert result["parsed"] == files != []
    assert "airflow_provider_influx_rollup.operators.rollup" in result["added"]
    assert loaded_libraries(result) == set()
