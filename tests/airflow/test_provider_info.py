from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_provider_influx_rollup import __version__
from airflow_provider_influx_rollup.get_provider_info import CONNECTION_FIELDS, get_provider_info
from airflow_provider_influx_rollup.hooks.connection_settings import KNOWN_EXTRAS

pytestmark = pytest.mark.airflow

NAME = "airflow-provider-influx-rollup"

# in a process of its own: the manager keeps what it loaded, and loading it has side effects
PROGRAM = """
import json, warnings
warnings.simplefilter("ignore")
from airflow.providers_manager import ProvidersManager
from airflow.configuration import conf
from airflow.providers.common.compat.sdk import task
manager = ProvidersManager()
# Airflow's own commands do this when they start
manager.initialize_providers_configuration()
hook = manager.hooks["influx_rollup"]
widgets = {name: info for name, info in manager.connection_form_widgets.items() if "influx_rollup" in name}
print(json.dumps({
    "provider": manager.providers["airflow-provider-influx-rollup"].version,
    "hook": [hook.hook_class_name, hook.connection_id_attribute_name, hook.hook_name, hook.connection_type],
    "can_test": hook.connection_testable,
    "widgets": sorted(widgets),
    "behaviour": manager.field_behaviours["influx_rollup"],
    "links": [name for name in manager.extra_links_class_names if "influx_rollup" in name],
    "decorator": [manager.taskflow_decorators["flux"].__name__, callable(task.flux)],
    "ledger_bucket": conf.get("influx_rollup", "ledger_bucket"),
}))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, Any]:
    """What Airflow itself makes of the installed package."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_airflow_finds_the_package_when_it_is_installed(loaded: dict[str, Any]) -> None:
    assert loaded["provider"] == __version__
    assert loaded["ledger_bucket"] == "rollup_ledger"


def test_airflow_loads_the_hook_when_its_connection_type_is_asked_for(loaded: dict[str, Any]) -> None:
    path = "airflow_provider_influx_rollup.hooks.influx.InfluxRollupHook"
    assert loaded["hook"] == [path, "influx_conn_id", "InfluxDB 2 (rollup)", "influx_rollup"]
    assert loaded["can_test"]


def test_airflow_shows_each_extra_when_the_connection_form_is_opened(loaded: dict[str, Any]) -> None:
    assert loaded["widgets"] == sorted(f"extra__influx_rollup__{name}" for name in KNOWN_EXTRAS)
    assert loaded["behaviour"]["relabeling"]["password"] == "Token"
    assert set(loaded["behaviour"]["hidden_fields"]) == {"login", "extra"}


def test_airflow_registers_links_and_decorator_when_it_loads_the_package(loaded: dict[str, Any]) -> None:
    names = {path.rpartition(".")[2] for path in loaded["links"]}
    assert names == {"InfluxDataLink", "InfluxReceiptsLink", "InfluxWindowsLink"}
    assert loaded["decorator"] == ["flux_task", True]


def test_metadata_follow_airflows_schema_when_they_are_read() -> None:
    schema = Path(airflow.__file__).with_name("provider_info.schema.json")
    jsonschema.validate(get_provider_info(), json.loads(schema.read_text()))


def test_form_fields_follow_airflows_schema_when_it_has_one_for_them() -> None:
    schema = json.loads(Path(airflow.__file__).with_name("provider.yaml.schema.json").read_text())
    part = schema["properties"]["connection-types"]
    # Airflow 2 knows no fields here, and allows them
    jsonschema.validate(
        get_provider_info()["connection-types"], {**part, "definitions": schema["definitions"]}
    )


def test_every_extra_has_a_form_field_when_the_hook_knows_it() -> None:
    assert set(CONNECTION_FIELDS) == set(KNOWN_EXTRAS)


def test_every_class_and_module_exists_when_the_metadata_name_it() -> None:
    info = get_provider_info()
    groups = ("hooks", "operators", "sensors", "triggers")
    modules = [name for group in groups for entry in info[group] for name in entry["python-modules"]]
    paths = [entry["hook-class-name"] for entry in info["connection-types"]]
    paths += (
        info["extra-links"]
        + info["notifications"]
        + [entry["class-name"] for entry in info["task-decorators"]]
    )
    for module in modules:
        importlib.import_module(module)
    for path in paths:
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name)


def test_entry_point_is_the_metadata_when_the_package_is_installed() -> None:
    found = [
        point.load()
        for point in entry_points(group="apache_airflow_provider")
        if point.dist is not None and point.dist.name == NAME
    ]
    assert [load() for load in found] == [get_provider_info()]
