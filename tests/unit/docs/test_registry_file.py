"""The file for the registry of Airflow's providers says what the package has."""

from __future__ import annotations

import ast
import re
import tomllib

import yaml

from tests.scenes.doc_blocks import CHECKOUT

FILE = yaml.safe_load((CHECKOUT / ".airflow-registry.yaml").read_text())
API = CHECKOUT / "docs" / "api"


def named(kind: str) -> dict[str, str]:
    return {entry["module"]: entry["description"] for entry in FILE[kind]}


def first_line(name: str) -> str:
    """The summary of a docstring, without line breaks."""
    module, _, last = name.rpartition(".")
    tree = ast.parse((CHECKOUT / (module.replace(".", "/") + ".py")).read_text())
    (node,) = [
        one for one in tree.body if isinstance(one, ast.ClassDef | ast.FunctionDef) and one.name == last
    ]
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


def test_package_has_its_own_name_when_the_registry_reads_the_file() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert FILE["package-name"] == project["name"]


def test_operators_and_sensors_are_those_of_the_api_pages_when_the_registry_lists_them() -> None:
    for kind in ("operators", "sensors"):
        pages = re.findall(r"^::: (\S+)$", (API / f"{kind}.md").read_text(), re.MULTILINE)
        assert sorted(named(kind)) == sorted(pages)


def test_descriptions_are_those_of_the_docstrings_when_the_registry_shows_them() -> None:
    told = {
        name: text
        for kind in ("operators", "sensors", "hooks", "other")
        for name, text in named(kind).items()
    }
    assert told == {name: first_line(name) for name in told}
