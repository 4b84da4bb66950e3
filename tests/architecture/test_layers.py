from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_influx_rollup"
PURE = [
    "arrow_numbers",
    "exceptions",
    "globs",
    "hashing",
    "windows",
    "flux",
    "ledger",
    "archive",
    "aggregates",
    "lifecycle",
    "stores",
    "client",
    "cli",
]


def test_all_import_contracts_are_kept_when_import_linter_reads_the_package() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_core_client_and_command_line_import_when_airflow_is_not_installed() -> None:
    program = f"""
import importlib, pkgutil, sys
sys.modules["airflow"] = None
for name in {PURE!r}:
    module = importlib.import_module("{PACKAGE}." + name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), module.__name__ + "."):
        importlib.import_module(found.name)
print(sum(name.startswith("{PACKAGE}.") for name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= len(PURE)
