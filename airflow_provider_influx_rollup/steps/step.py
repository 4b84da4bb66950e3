"""A verb: a generator of steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from airflow_provider_influx_rollup.step import Step

Result = TypeVar("Result")

Steps = Generator[Step[Any], Any, Result]
