"""Map errors of file systems and object stores to this package's errors."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from airflow_provider_influx_rollup.archive.paths import window_of_path
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMissing,
    ConfigurationError,
    InfluxRollupError,
    StoreForbidden,
    StoreUnavailable,
)

FIX_FORBIDDEN = "give the worker's user or the connection the right to read and write there"
FIX_GONE = "bring the file back from a copy; the points of its window must not be deleted"
FIX_NO_PLACE = "make the bucket, or correct the path"
FIX_FULL = "make room, then run it again: what was begun is made again"
FIX_IN_THE_WAY = "something else is in its place: move it, or choose another path"
FIX_SETTINGS = "correct the store's Airflow connection, or what the worker's environment says of it"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# object stores' libraries have errors of their own for the way there
LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "azure", "adlfs")
# which extra of the package brings the library of a scheme
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "abfs", "abfss": "abfs", "adl": "abfs"}
# of their errors that come from no answer of the store: there are no credentials
NOT_LOGGED_IN = ("Credential", "Authentication", "RefreshError")
# fsspec's words, and those of Airflow
OPENED_BY_NOTHING = "Protocol not known"
OF_NO_PROVIDER = "registered for scheme"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
# signatures and tokens are in queries; keys in connection strings; tokens in headers
SECRETS = re.compile(
    r"(?<=\?)[^\s'\")>]+|(?<=AccountKey=)[^;\s'\"]+|(?<=SharedAccessSignature=)[^;\s'\"]+|(?<=Bearer )[^\s'\"]+"
)


@contextmanager
def store_errors(shown: str, *, makes: bool = False) -> Iterator[None]:
    """Turn what the file system does into errors of ours; other errors pass.

    :param shown: the file's path for people
    :param makes: whether the file is made, which then is not the one that is missing
    """
    try:
        yield
    except OSError as error:
        raise _of_system(shown, error, makes=makes) from _without_secrets(error)
    except Exception as error:
        found = _of_library(shown, error, makes=makes)
        if found is None:
            raise
        raise found from _without_secrets(error)


@contextmanager
def opening_errors(shown: str) -> Iterator[None]:
    """Turn what a library says of the settings of a store into errors of ours; an unknown scheme passes.

    :param shown: the store's URL for people
    :raises ConfigurationError: when the library cannot use what it was given
    """
    with store_errors(shown):
        try:
            yield
        except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
            if is_of_no_provider(error) or OPENED_BY_NOTHING in str(error):
                raise
            # not its text, which may be a part of a key that is no JSON or no base64
            what = f"{shown} cannot be opened with the credentials that it was given: {type(error).__name__}"
            raise ConfigurationError(what, written="nothing", fix=FIX_SETTINGS) from None


def is_of_no_provider(error: Exception) -> bool:
    """Whether no Airflow provider that is installed knows the scheme of a URL."""
    return OF_NO_PROVIDER in str(error)


def not_installed(shown: str, why: str) -> ConfigurationError:
    """The error of a URL that nothing installed opens.

    :param shown: the store's URL for people
    :param why: what the file systems say
    """
    extra = EXTRAS.get(urlsplit(shown).scheme)
    fix = (
        f"install airflow-provider-influx-rollup[{extra}], and for connections the store's Airflow provider"
        if extra
        else "correct the scheme of the URL, or install what opens it"
    )
    return ConfigurationError(f"{shown} cannot be opened: {why}", written="nothing", fix=fix)


def _of_system(shown: str, error: OSError, *, makes: bool) -> InfluxRollupError:
    why = _plain(error.strerror or str(error)) or type(error).__name__
    match error:
        case FileNotFoundError():
            return _missing(shown, error.strerror or "there is no such place", makes=makes)
        case PermissionError():
            return StoreForbidden(f"{shown} may not be used: {why}", fix=FIX_FORBIDDEN)
        case NotADirectoryError() | IsADirectoryError() | FileExistsError():
            return StoreForbidden(f"{shown} cannot be made: {why}", fix=FIX_IN_THE_WAY)
    # gcsfs has no better error for a right that is missing
    if str(error).startswith("Forbidden: "):
        return StoreForbidden(f"{shown} may not be used: {_plain(str(error), 1)}", fix=FIX_FORBIDDEN)
    return StoreUnavailable(f"{shown} failed: {why}", fix=FIX_FULL if error.errno in FULL else None)


def _of_library(shown: str, error: Exception, *, makes: bool) -> InfluxRollupError | None:
    if type(error) is ValueError and str(error).startswith("Bad Request: "):
        # gcsfs has no better error for a name that cannot be
        return StoreForbidden(f"{shown} cannot be used: {_plain(str(error), 1)}", fix=FIX_NO_PLACE)
    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):
        # adlfs puts what the store said into one of these
        return _of_library(shown, error.__cause__, makes=makes)
    kind = type(error)
    if kind.__module__.partition(".")[0] not in LIBRARIES:
        return None
    status = _status(error)
    if status == NOT_FOUND:
        return _missing(shown, _plain(str(error)), makes=makes)
    what = f"{shown} failed: {kind.__name__}: {_plain(str(error))}"
    names = " ".join(base.__name__ for base in kind.__mro__)
    if status in (UNAUTHORIZED, FORBIDDEN) or any(word in names for word in NOT_LOGGED_IN):
        return StoreForbidden(what, fix=FIX_FORBIDDEN)
    return StoreUnavailable(what)


def _missing(shown: str, why: str, *, makes: bool) -> InfluxRollupError:
    if makes:
        return StoreForbidden(f"{shown} cannot be made: {why}", fix=FIX_NO_PLACE)
    return ArchiveMissing(
        f"{shown} is not there", window=window_of_path(shown), written="nothing", fix=FIX_GONE
    )


def _status(error: Exception) -> int | None:
    """The HTTP status of the store's answer, where the library keeps it."""
    for name in ("status_code", "code", "status"):
        value = getattr(error, name, None)
        if str(value).isdecimal():
            return int(str(value))
    return None


def _plain(text: str, line: int = 0) -> str:
    """One line of what a library says, which may go on with pages of XML, without secrets."""
    lines = text.strip().splitlines() or [""]
    return SECRETS.sub("***", lines[min(line, len(lines) - 1)])


def _without_secrets(error: Exception) -> Exception | None:
    """An error as the cause of ours, which logs show whole; None when it holds a secret."""
    seen: BaseException | None = error
    while seen is not None:
        if SECRETS.search(str(seen)):
            return None
        seen = seen.__cause__ or seen.__context__
    return error
