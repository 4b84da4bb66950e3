"""Airflow accepts each task that the pages show."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup import operators
from airflow_provider_influx_rollup.airflow_compat import has_partitions

CHECKOUT = Path(__file__).resolve().parents[3]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]


def blocks() -> Iterator[Any]:
    """The Python of the pages that makes operators."""
    for page in PAGES:
        found = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
        for number, block in enumerate(found, start=1):
            # what people come from is not installed
            if "Operator(" in block and "airflow.providers.influxdb" not in block:
                yield pytest.param(block, id=f"{page.stem}-{number}")


def all_operators() -> dict[str, Any]:
    """Those that a page does not import in each of its blocks."""
    names: dict[str, Any] = {}
    for module in pkgutil.iter_modules(operators.__path__):
        loaded = importlib.import_module(f"{operators.__name__}.{module.name}")
        names |= {name: value for name, value in vars(loaded).items() if name.endswith("Operator")}
    return names


@pytest.mark.parametrize("block", blocks())
def test_block_of_a_page_is_accepted_when_a_dag_has_it(block: str) -> None:
    if "partitions" in block and not has_partitions():
        pytest.skip("Airflow 3.3 and later have partitions that tasks name")
    # some blocks have a DAG of their own, in this one
    with DAG("shown", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        exec(block, all_operators())  # noqa: S102 - the pages are ours
