"""What is imported is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_influx_rollup"
OWN = {PACKAGE, "dev", "tests"}
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())

# modules that are called otherwise than what one installs; the longest name counts
DISTRIBUTIONS = {
    "airflow": "apache-airflow",
    "airflow.providers.common.compat": "apache-airflow-providers-common-compat",
    "airflow.providers.standard": "apache-airflow-providers-standard",
    "airflow.providers.openlineage": "apache-airflow-providers-openlineage",
    # what the provider brings: its client, and what the client's facets are made with
    "openlineage": "apache-airflow-providers-openlineage",
    "attrs": "apache-airflow-providers-openlineage",
    "opentelemetry": "opentelemetry-api",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "_pytest": "pytest",
    "azure.storage.blob": "azure-storage-blob",
    "azure.core": "azure-storage-blob",
    "yaml": "pyyaml",
    "psycopg2": "psycopg2-binary",
}
# the webserver of Airflow 2 draws connection forms with these, and only it asks for the form
FORM = {"flask-appbuilder", "flask-babel", "wtforms"}
# the windows page is served by Airflow's web server, which brings these
WEB = {"fastapi", "flask", "flask-appbuilder", "sqlalchemy"}
# fsspec imports them by the protocol of a URL
FILE_SYSTEMS = {"adlfs", "gcsfs", "s3fs"}


def distribution(module: str) -> str:
    """What one installs to import a module."""
    named = [name for name in DISTRIBUTIONS if f"{module}.".startswith(f"{name}.")]
    if named:
        return DISTRIBUTIONS[max(named, key=len)]
    return module.partition(".")[0].replace("_", "-").lower()


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(folders: Iterable[str]) -> dict[str, set[str]]:
    """The distributions that files import, anywhere in them, with those files."""
    found: dict[str, set[str]] = {}
    for path in sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")):
        for module in imported_modules(ast.parse(path.read_text())):
            if module.partition(".")[0] not in {*OWN, *sys.stdlib_module_names}:
                found.setdefault(distribution(module), set()).add(str(path.relative_to(CHECKOUT)))
    return found


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[^\w.-]", text)[0].lower().replace("_", "-") for text in requirements}


REQUIRED = names(PROJECT["project"]["dependencies"])
EXTRAS = {
    name: names(requirements) for name, requirements in PROJECT["project"]["optional-dependencies"].items()
}
GROUPS = {name: names(requirements) for name, requirements in PROJECT["dependency-groups"].items()}


def test_package_imports_what_it_declares_and_nothing_else() -> None:
    used = imported([PACKAGE])
    assert used.keys() - FORM - WEB == (REQUIRED | set().union(*EXTRAS.values())) - FILE_SYSTEMS
    assert {path for name in FORM | WEB for path in used[name]} == {
        f"{PACKAGE}/hooks/connection_form.py",
        *(f"{PACKAGE}/page/{name}.py" for name in ("fastapi_app", "flask_view", "task_instances")),
    }


def test_file_systems_are_extras_of_their_own() -> None:
    assert {name for requirements in EXTRAS.values() for name in requirements & FILE_SYSTEMS} == FILE_SYSTEMS
    assert not REQUIRED & set().union(*EXTRAS.values())


def test_tests_and_demo_import_what_is_declared() -> None:
    everywhere = REQUIRED | WEB | FORM | set().union(*EXTRAS.values(), *GROUPS.values())
    used = imported(["tests", "dev", "example_dags"])
    assert {name: paths for name, paths in used.items() if name not in everywhere} == {}


def test_names_of_what_one_installs_are_found() -> None:
    assert distribution("airflow.providers.standard.operators.branch") == "apache-airflow-providers-standard"
    assert distribution("airflow.models") == "apache-airflow"
    assert distribution("influxdb_client.client") == "influxdb-client"
    assert names(["apache-airflow>=2.11.0,!=3.0.*,<4", "moto[s3]>=5.1.0", "vega_datasets"]) == {
        "apache-airflow",
        "moto",
        "vega-datasets",
    }
