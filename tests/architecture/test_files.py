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


# users construct these in DAGs, by position too
PUBLIC_BY_POSITION = ("lifecycle/pipeline/declared.py", "lifecycle/pipeline/declared_ends.py")
MAX_POSITIONAL = 4


def wide_classes(text: str) -> list[str]:
    """Dataclasses with more fields than can be told apart by position, and without ``kw_only``."""
    found = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.ClassDef) or node.name.endswith("Rule"):
            continue
        made = [one for one in node.decorator_list if ast.unparse(one).startswith("dataclass")]
        fields: list[str] = []
        for line in node.body:
            if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
                if "KW_ONLY" in ast.unparse(line.annotation):
                    break
                fields.append(ast.unparse(line.target))
        if made and len(fields) > MAX_POSITIONAL and "kw_only=True" not in ast.unparse(made[0]):
            found.append(node.name)
    return found


def test_fields_are_named_when_a_dataclass_has_many() -> None:
    many = "\n".join(f"    f{number}: int" for number in range(5))
    assert wide_classes(f"@dataclass\nclass Wide:\n{many}") == ["Wide"]
    assert wide_classes(f"@dataclass(frozen=True, kw_only=True)\nclass Named:\n{many}") == []
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.as_posix().endswith(PUBLIC_BY_POSITION):
            assert wide_classes(path.read_text()) == [], path
