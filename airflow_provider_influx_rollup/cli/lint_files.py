"""The scripts that ``lint`` is asked about: files, folders, and what comes through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_influx_rollup.exceptions import ConfigurationError

STDIN = "-"
SUFFIX = ".flux"


@dataclass(frozen=True, slots=True)
class ScriptFile:
    """A script and where it is from.

    :param name: as it was named; ``<stdin>`` of a pipe
    """

    name: str
    text: str


def read_scripts(names: Sequence[str]) -> Iterator[ScriptFile]:
    """Read files, all ``.flux`` files of folders, and stdin for ``-``.

    :raises ConfigurationError: when there is no such file, or it is no UTF-8
    """
    for name in names:
        if name == STDIN:
            yield ScriptFile("<stdin>", _decoded(sys.stdin.buffer.read(), "<stdin>"))
            continue
        path = Path(name)
        found = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not found:
            what = f"the folder {name!r} has no {SUFFIX} file"
            raise ConfigurationError(what, written="nothing", fix="name a folder or file with scripts")
        for one in found:
            yield ScriptFile(one.as_posix(), read_script(one))


def read_script(path: Path) -> str:
    """The text of a file.

    :raises ConfigurationError: when it cannot be read, or is no UTF-8
    """
    try:
        return _decoded(path.read_bytes(), str(path))
    except OSError as error:
        what = f"the file {str(path)!r} cannot be read: {error.strerror}"
        raise ConfigurationError(what, written="nothing", fix="correct its name") from error


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        what = f"{name!r} is not UTF-8 text"
        raise ConfigurationError(what, written="nothing", fix="save it as UTF-8") from error
