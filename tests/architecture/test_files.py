from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "airflow_provider_influx_rollup"
OWN_FOLDERS = ("airflow_provider_influx_rollup", "dev", "example_dags", "tests")
SOURCES = sorted(path for folder in OWN_FOLDERS for path in (CHECKOUT / folder).rglob("*.py"))
MODULES = sorted(PACKAGE.rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# What costs a DAG file tenths of a second to import.
HEAVY = {"pandas", "pyarrow", "numpy", "influxdb_client", "matplotlib", "fastapi", "flask"}
# Folders that the other parts import inside functions only, which the next test shows.
HEAVY_FOLDERS = {"archive", "aggregates"}
VAGUE_NAMES = {
    "utils.py",
    "util.py",
    "helpers.py",
    "helper.py",
    "common.py",
    "misc.py",
    "managers.py",
    "manager.py",
}


def _relative(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _module_level_imports(tree: ast.Module) -> set[str]:
    """Names imported when the module is, without what only type checkers read."""
    names: set[str] = set()
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.ClassDef)):
            pending += [child for child in ast.walk(node) if isinstance(child, (ast.Import, ast.ImportFrom))]
    return names


def test_sources_are_found_when_the_checks_collect_them() -> None:
    assert len(MODULES) > 20
    assert {path.parts[len(CHECKOUT.parts)] for path in SOURCES} >= {
        "airflow_provider_influx_rollup",
        "dev",
        "tests",
    }


@pytest.mark.parametrize("path", SOURCES, ids=_relative)
def test_file_stays_short_when_it_is_source(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_functions_stay_short_when_they_are_shipped(path: Path) -> None:
    functions = [n for n in ast.walk(_parsed(path)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    too_long = {
        f.name: f.end_lineno - f.lineno + 1
        for f in functions
        if f.end_lineno - f.lineno >= MAX_FUNCTION_LINES
    }
    assert too_long == {}


@pytest.mark.parametrize("path", SOURCES, ids=_relative)
def test_name_says_what_is_inside_when_a_file_is_named(path: Path) -> None:
    assert path.name not in VAGUE_NAMES


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_no_heavy_library_is_imported_when_the_module_is(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] in HEAVY_FOLDERS:
        return
    assert {name.partition(".")[0] for name in _module_level_imports(_parsed(path))} & HEAVY == set()


def test_init_holds_only_the_version_when_the_package_is_imported() -> None:
    statements = _parsed(PACKAGE / "__init__.py").body
    assigned = [ast.unparse(s.targets[0]) for s in statements if isinstance(s, ast.Assign)]
    assert assigned == ["__version__"]
    assert _module_level_imports(_parsed(PACKAGE / "__init__.py")) == {"__future__"}


def test_every_file_exists_when_the_map_names_it() -> None:
    page = CHECKOUT / "docs" / "map.md"
    named = re.findall(r"`([\w./-]+\.(?:py|md|toml|yaml))`", page.read_text())
    missing = [
        n for n in named if not any((base / n).exists() for base in (CHECKOUT, PACKAGE, CHECKOUT / "docs"))
    ]
    assert len(named) >= 10
    assert missing == []
