"""What a file system or object store does, as errors of ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_influx_rollup.archive.paths import window_of_path
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMissing,
    InfluxRollupError,
    StoreForbidden,
    StoreUnavailable,
)

FIX_FORBIDDEN = "give the worker's user or the connection the right to read and write there"
FIX_GONE = "bring the file back from a copy; the points of its window must not be deleted"
FIX_NO_PLACE = "make the bucket, or correct the path"
FIX_FULL = "make room, then run it again: what was begun is made anew"
FIX_IN_THE_WAY = "something else is in its place: move it, or choose another path"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# object stores' libraries have errors of their own for the way there
LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "azure", "adlfs")


@contextmanager
def store_errors(shown: str, *, makes: bool = False) -> Iterator[None]:
    """Turn what the file system does into errors of ours; other errors pass.

    :param shown: the file's path for people
    :param makes: whether the file is made, which then is not the one that is missing
    """
    try:
        yield
    except OSError as error:
        raise _of_system(shown, error, makes=makes) from error
    except Exception as error:
        found = _of_library(shown, error)
        if found is None:
            raise
        raise found from error


def _of_system(shown: str, error: OSError, *, makes: bool) -> InfluxRollupError:
    why = error.strerror or str(error) or type(error).__name__
    match error:
        case FileNotFoundError() if not makes:
            return ArchiveMissing(
                f"{shown} is not there", window=window_of_path(shown), written="nothing", fix=FIX_GONE
            )
        case FileNotFoundError():
            return StoreForbidden(f"{shown} cannot be made: {why}", fix=FIX_NO_PLACE)
        case PermissionError():
            return StoreForbidden(f"{shown} may not be used: {why}", fix=FIX_FORBIDDEN)
        case NotADirectoryError() | IsADirectoryError() | FileExistsError():
            return StoreForbidden(f"{shown} cannot be made: {why}", fix=FIX_IN_THE_WAY)
    return StoreUnavailable(f"{shown} failed: {why}", fix=FIX_FULL if error.errno in FULL else None)


def _of_library(shown: str, error: Exception) -> InfluxRollupError | None:
    kind = type(error)
    if kind.__module__.partition(".")[0] not in LIBRARIES:
        return None
    what = f"{shown} failed: {kind.__name__}: {error}"
    is_refused = "Credential" in kind.__name__
    return StoreForbidden(what, fix=FIX_FORBIDDEN) if is_refused else StoreUnavailable(what)
