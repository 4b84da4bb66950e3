"""A folder on any file system that fsspec knows, with the few promises that an archive needs."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_influx_rollup.archive.paths import window_of_path
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ConfigurationError
from airflow_provider_influx_rollup.stores.create_only import create_options
from airflow_provider_influx_rollup.stores.store_errors import not_installed, opening_errors, store_errors
from airflow_provider_influx_rollup.stores.store_url import connection_in, shown_url

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

READ_BUFFER_BYTES = 1 << 20
# how S3 says that another writer was faster, where s3fs has no error of its own for it
LOST_RACE = ("PreconditionFailed", "ConditionalRequestConflict", "412")


class ArchiveStore:
    """One base folder; all paths are relative to it, with ``/``.

    :param file_system: of fsspec
    :param base: path on that file system
    :param shown: how messages name the base, without secrets
    """

    def __init__(self, file_system: AbstractFileSystem, base: str, shown: str) -> None:
        self._files = file_system
        self._base = base.rstrip("/")
        self.shown = shown.rstrip("/")

    @classmethod
    def of_url(cls, url: str, **options: Any) -> ArchiveStore:
        """Open a store without Airflow.

        :param url: such as ``/data/archive`` or ``s3://lake/telemetry``
        :param options: of fsspec's file system
        :raises ConfigurationError: when the URL holds a password or names a connection, the path is not absolute, nothing
            installed opens it, or the credentials are none
        """
        from fsspec.core import url_to_fs

        shown = shown_url(url)
        if connection_in(url):
            # without it the bucket of this name at another store, or of another account, would be taken
            what = f"the path of the archive names an Airflow connection, which nothing reads here: {shown}"
            fix = "leave out what is before the @, and give the credentials in the environment"
            raise ConfigurationError(what, written="nothing", fix=fix)
        try:
            with opening_errors(shown):
                file_system, base = url_to_fs(shown, **options)
        except (ImportError, ValueError) as error:
            raise not_installed(shown, str(error)) from error
        return cls(file_system, base, shown)

    @property
    def file_system(self) -> AbstractFileSystem:
        """The fsspec file system of the store."""
        return self._files

    def path(self, relative: str) -> str:
        """The path on the file system."""
        return f"{self._base}/{relative}" if relative else self._base

    def shown_path(self, relative: str) -> str:
        """The path as messages name it."""
        return f"{self.shown}/{relative}"

    @contextmanager
    def writing(self, relative: str) -> Iterator[IO[bytes]]:
        """Write a file; it is whole when the block ends without an error, and must not be used otherwise.

        :raises ConfigurationError: when archives are not safe on this file system
        """
        with self._errors(relative, makes=True):
            self._prepare(relative)
            if self._is_local:
                with Path(self.path(relative)).open("wb") as local:
                    yield local
                    local.flush()
                    # the manifest must not outlive what it names when the machine stops
                    os.fsync(local.fileno())
            else:
                with _whole_object(self._files.open(self.path(relative), "wb")) as file:
                    yield file

    @contextmanager
    def reading(self, relative: str) -> Iterator[IO[bytes]]:
        """Read a file, at any place of it."""
        with self._errors(relative):
            self._forget(relative)
            self._require_plain(relative)
            with self._files.open(self.path(relative), "rb", block_size=READ_BUFFER_BYTES) as file:
                yield file

    def require(self, relative: str) -> None:
        """Make sure that a file is there.

        :raises ArchiveMissing: when it is not
        """
        with self._errors(relative):
            self._forget(relative)
            self._files.info(self.path(relative))

    def read(self, relative: str) -> bytes | None:
        """A small file; None when there is none."""
        with self._errors(relative):
            try:
                self._require_plain(relative)
                data: bytes = self._files.cat_file(self.path(relative))
            except FileNotFoundError:
                return None
            return data

    def put_new(self, relative: str, data: bytes) -> bool:
        """Make a small file appear as a whole, unless there is one; whether this call made it.

        Two writers of the same bytes may both be told that they made an object, unless the bytes are none: what a store
        says after a lost answer is told apart by them.

        :raises ConfigurationError: when archives are not safe on this file system
        """
        with self._errors(relative, makes=True):
            options = self._prepare(relative)
            if self._is_local:
                return self._link_new(Path(self.path(relative)), data)
            try:
                self._files.pipe_file(self.path(relative), data, **options)
            except OSError as error:
                if not _is_lost(error):
                    raise
                # the library asks again when an answer is lost, and then finds what it has made itself
                return bool(data) and self.read(relative) == data
            return True

    def put_over(self, relative: str, data: bytes) -> None:
        """Make a small file appear as a whole, in place of one that is there."""
        with self._errors(relative, makes=True):
            self._prepare(relative)
            if not self._is_local:
                self._files.pipe_file(self.path(relative), data)
                return
            with self._whole_file(Path(self.path(relative)), data) as temporary:
                temporary.replace(self.path(relative))

    def names(self, relative: str) -> list[str]:
        """The names in a folder, sorted; empty when there is none."""
        with self._errors(relative):
            self._files.invalidate_cache(self.path(relative))
            try:
                found = self._files.ls(self.path(relative), detail=False)
            except FileNotFoundError:
                return []
            return sorted({str(path).rstrip("/").rpartition("/")[2] for path in found} - {""})

    def remove(self, relatives: Iterable[str]) -> None:
        """Remove files that are there."""
        for relative in relatives:
            with self._errors(relative):
                try:
                    self._remove_file(self.path(relative))
                except FileNotFoundError:
                    continue

    def _require_plain(self, relative: str) -> None:
        """A pipe never ends to be opened, and a device never to be read.

        :raises ArchiveMismatch: when it is one of these
        """
        if not self._is_local:
            return
        kind = Path(self.path(relative)).stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            what = f"{self.shown_path(relative)} is no file, but a pipe or a device"
            fix = "remove it, and bring the file back from a copy"
            raise ArchiveMismatch(what, window=window_of_path(relative), written="nothing", fix=fix)

    @property
    def _is_local(self) -> bool:
        from fsspec.implementations.local import LocalFileSystem

        return isinstance(self._files, LocalFileSystem)

    def _prepare(self, relative: str) -> dict[str, Any]:
        """Make ready for a file; what `pipe_file` must be told to make it only when there is none."""
        if not self._is_local:
            return create_options(self._files, self._base, self.shown)
        Path(self.path(relative)).parent.mkdir(parents=True, exist_ok=True)
        return {}

    def _forget(self, relative: str) -> None:
        """Forget a listing that may be older than a file."""
        path = self.path(relative)
        self._files.invalidate_cache(path)
        # adlfs keeps the listing of the folder when only the file is named
        self._files.invalidate_cache(path.rpartition("/")[0])

    def _remove_file(self, path: str) -> None:
        try:
            self._files.rm_file(path)
        except NotImplementedError:
            # adlfs before 2026
            self._files.rm(path)

    def _link_new(self, path: Path, data: bytes) -> bool:
        with self._whole_file(path, data) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
        return True

    @contextmanager
    def _whole_file(self, path: Path, data: bytes) -> Iterator[Path]:
        """A file of another name with all the data, on the disk; gone in the end."""
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def _errors(self, relative: str, *, makes: bool = False) -> AbstractContextManager[None]:
        return store_errors(self.shown_path(relative), makes=makes)


@contextmanager
def _whole_object(file: Any) -> Iterator[IO[bytes]]:
    """Close a file of an object store when the block ends well; throw it away otherwise, which fsspec does not do."""
    try:
        yield file
        file.close()
    except BaseException as error:
        # or what there is of it would be put when it is collected
        file.closed = True
        try:
            file.discard()
        except Exception as also:  # noqa: BLE001 - the first error is what people must see
            error.add_note(f"what was begun stays in the store: {type(also).__name__}")
        raise


def _is_lost(error: OSError) -> bool:
    """Whether a store refused to make a file because there is one."""
    if isinstance(error, FileExistsError):
        return True
    answer = getattr(error.__cause__, "response", None)
    return isinstance(answer, dict) and answer.get("Error", {}).get("Code") in LOST_RACE


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
