"""Libraries that are installed only for those who need them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

# which extra of this package brings a library
EXTRAS = {"datasketches": "sketches"}


def require_installed(library: str) -> None:
    """Refuse what needs a library that is not installed.

    :raises ConfigurationError: naming the extra that brings it
    """
    if find_spec(library) is None:
        what = f"the Python package {library} is not installed on this worker, and an aggregate needs it"
        fix = f"pip install 'airflow-provider-influx-rollup[{EXTRAS[library]}]'"
        raise ConfigurationError(what, written="nothing", fix=fix)


def require_datasketches() -> ModuleType:
    """Import the library.

    :raises ConfigurationError: when it is not installed
    """
    require_installed("datasketches")
    return import_module("datasketches")
