from __future__ import annotations

import ast
import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "airflow_provider_influx_rollup"
OWN_FOLDERS = ("airflow_provider_influx_rollup", "dev", "example_dags", "tests")
SOURCES = sorted(path for folder in OWN_FOLDERS for path in (CHECKOUT / folder).rglob("*.py"))
MODULES = sorted(PACKAGE.rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
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


def test_sources_are_found_when_the_checks_collect_them() -> None:
    assert len(MODULES) > 20
    assert {path.parts[len(CHECKOUT.parts)] for path in SOURCES} >= {
        "airflow_provider_influx_rollup",
        "dev",
        "tests",
    }


def test_files_stay_short_when_they_are_source() -> None:
    lengths = {_relative(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_stay_short_when_they_are_shipped() -> None:
    lengths = {
        f"{_relative(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(_parsed(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def test_names_say_what_is_inside_when_files_are_named() -> None:
    assert [_relative(path) for path in SOURCES if path.name in VAGUE_NAMES] == []


def test_init_holds_only_the_version_when_the_package_is_imported() -> None:
    _docstring, *statements = _parsed(PACKAGE / "__init__.py").body
    kinds = [type(statement).__name__ for statement in statements]
    assert kinds == ["ImportFrom", "Assign"]
    assert ast.unparse(statements[0]) == "from __future__ import annotations"
    assert ast.unparse(statements[1]).startswith("__version__ = ")


def test_every_file_exists_when_the_map_names_it() -> None:
    page = CHECKOUT / "docs" / "map.md"
    named = re.findall(r"`([\w./-]+\.(?:py|md|toml|yaml))`", page.read_text())
    missing = [
        n for n in named if not any((base / n).exists() for base in (CHECKOUT, PACKAGE, CHECKOUT / "docs"))
    ]
    assert len(named) >= 10
    assert missing == []
