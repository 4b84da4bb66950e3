"""Files of pictures: matplotlib is there, and the file can be written."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from airflow_provider_influx_rollup.exceptions import ConfigurationError


def require_pictures() -> None:
    """Check that pictures can be drawn.

    :raises ConfigurationError: when matplotlib is missing
    """
    if find_spec("matplotlib") is None:
        what = "a picture was asked for, but matplotlib is not installed"
        fix = "pip install 'airflow-provider-influx-rollup[pictures]', or ask for no picture"
        raise ConfigurationError(what, written="nothing", fix=fix)


def write_picture(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Write a file of a picture.

    :param path: the file; its folder is made
    :param write: writes it
    :return: the file
    :raises ConfigurationError: when it cannot be written
    """
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file)
    except OSError as error:
        what = f"the picture {str(file)!r} cannot be written"
        raise ConfigurationError(what, fix="name a file in a folder that may be written") from error
    return file
