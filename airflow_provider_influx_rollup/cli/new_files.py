"""Files that a command writes: what is there already is never overwritten."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_influx_rollup.exceptions import ConfigurationError


def require_new(*files: Path) -> None:
    """Refuse files that are there.

    :raises ConfigurationError: naming them
    """
    there = [str(file) for file in files if file.exists()]
    if there:
        what = f"{' and '.join(there)} {'is' if len(there) == 1 else 'are'} there already"
        raise ConfigurationError(what, written="nothing", fix="move it away, or give another --folder")


def write_new(file: Path, text: str) -> None:
    """Write a file that is not there.

    :raises ConfigurationError: when it cannot be written
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        what = f"{file} cannot be written: {error.strerror}"
        raise ConfigurationError(what, written="nothing", fix="give another --folder") from error
