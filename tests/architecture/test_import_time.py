from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_influx_rollup"
HEAVY = ["influxdb_client", "pandas", "pyarrow", "numpy", "matplotlib"]
ENTRANCES = ["hooks", "operators", "sensors", "triggers", "decorators", "links", "get_provider_info"]

# Airflow itself may import one of them; only what the package adds counts.
PROGRAM = """
import importlib, json, pkgutil, sys
import airflow.providers.common.compat.sdk as sdk
sdk.BaseOperator, sdk.BaseHook, sdk.BaseSensorOperator
import airflow.triggers.base
before = set(sys.modules)
package = importlib.import_module(sys.argv[1])
imported = [package.__name__]
for found in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
    imported.append(importlib.import_module(found.name).__name__)
added = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps({"imported": imported, "added": sorted(added)}))
"""


@pytest.mark.airflow
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_no_heavy_library_is_loaded_when_a_dag_file_imports(entrance: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, f"{PACKAGE}.{entrance}"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["imported"]
    assert set(result["added"]) & set(HEAVY) == set()
