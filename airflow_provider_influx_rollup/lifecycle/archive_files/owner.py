"""Whose folder it is: a small document that the first archive of a measurement puts, and every later one reads."""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.documents import decode_sealed, encode_sealed
from airflow_provider_influx_rollup.archive.paths import parse_window, window_folder
from airflow_provider_influx_rollup.archive.placement import FIX
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import newest_generation
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, ReadBytes
from airflow_provider_influx_rollup.windows.interval import Interval

OWNER = "measurement.json"
FORMAT = "influx-rollup-measurement/1"
MAX_TRIED = 3


def require_own_folder(spec: ArchiveSpec, window: Interval) -> Steps[None]:
    """Make sure that the folder is the measurement's own: a store may not tell upper from lower case.

    :param window: the first that is to be archived, for the message
    :raises ArchiveMismatch: when it is that of another measurement; nothing was written
    """
    path = f"{spec.folder}/{OWNER}"
    org, bucket = spec.kept_names
    mine = {"format": FORMAT, "org": org, "bucket": bucket, "measurement": spec.measurement}
    data = yield from ask(ReadBytes(path))
    if data is None:
        yield from _require_same_before(spec.folder)
        if (yield from ask(PutNew(path, encode_sealed(mine)))):
            return
        data = yield from ask(ReadBytes(path))
    found = decode_sealed(data or b"", path)
    if found != mine:
        what = (
            f"{spec.shown_path}/{spec.folder} is the folder of "
            f"{found.get('org')}/{found.get('bucket')}/{found.get('measurement')}, "
            f"not of {org}/{bucket}/{spec.measurement}"
        )
        raise ArchiveMismatch(what, window=window, written="nothing", fix=FIX)


def _require_same_before(folder: str) -> Steps[None]:
    """An archive of before has no such document, but its manifests say whose they are.

    :raises ArchiveMismatch: when the first ones are of another measurement; one that is damaged says nothing
    """
    problem: ArchiveMismatch | None = None
    windows = [
        window for name in (yield from ask(ListFolder(folder))) if (window := parse_window(name)) is not None
    ]
    for window in windows[:MAX_TRIED]:
        try:
            if (yield from newest_generation(window_folder(folder, window))) is not None:
                return
        except ArchiveMismatch as error:
            problem = error
    if problem is not None:
        raise problem
