"""The pages that are made from docstrings: they name what users import, and all of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.scenes.doc_blocks import CHECKOUT

PACKAGE = CHECKOUT / "airflow_provider_influx_rollup"
NAMED = [
    name
    for page in sorted((CHECKOUT / "docs/api").glob("*.md"))
    for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
]


def public_names(module: Path) -> set[str]:
    """Classes and functions of a module that have a name of their own for users."""
    tree = ast.parse(module.read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    }


def modules_of(folder: str) -> list[Path]:
    return [one for one in sorted((PACKAGE / folder).glob("*.py")) if not one.name.startswith("_")]


@pytest.mark.parametrize("name", NAMED)
def test_name_exists_when_an_api_page_has_it(name: str) -> None:
    path = CHECKOUT / (name.replace(".", "/") + ".py")
    module, _, last = name.rpartition(".")
    assert path.exists() or last in public_names(CHECKOUT / (module.replace(".", "/") + ".py"))


@pytest.mark.parametrize(
    "module",
    [*modules_of("operators"), *modules_of("sensors"), *modules_of("notifications")],
    ids=lambda one: one.stem,
)
def test_api_page_has_every_operator_sensor_and_notifier_that_users_import(module: Path) -> None:
    ours = f"airflow_provider_influx_rollup.{module.parent.name}.{module.stem}."
    shown = {name.removeprefix(ours) for name in NAMED if name.startswith(ours)}
    users = {name for name in public_names(module) if re.search(r"(Operator|Sensor|Notifier)$", name)}
    assert users - shown <= {"InfluxArchiveOperator", "SourceArchiveOperator"}  # bases of others
    assert shown or not users


@pytest.mark.parametrize("name", [one for one in NAMED if ".operators." in one or ".sensors." in one])
def test_readme_names_each_operator_and_sensor(name: str) -> None:
    assert f"{name.rpartition('.')[2]}`" in (CHECKOUT / "README.md").read_text()
