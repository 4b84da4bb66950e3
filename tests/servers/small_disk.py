"""A disk of some megabytes, which a test fills and makes room on again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MEGABYTE = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class SmallDisk:
    """A file system in memory of its own.

    :param folder: where it is mounted
    """

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self, *, but_pages: int = 0) -> None:
        """Take all that is left of it.

        :param but_pages: leave so many pages, the least that a file takes
        """
        size = MEGABYTE
        with self._ballast.open("ab", buffering=0) as file:
            while size:
                try:
                    is_whole = file.write(bytes(size)) == size
                except OSError:
                    is_whole = False
                size = size if is_whole else size // 2
        # a page of which the ballast has but a part is not given back
        os.truncate(self._ballast, self._ballast.stat().st_size // PAGE * PAGE - but_pages * PAGE)

    def make_room(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one, which needs the rights of root; skips the test elsewhere.

    :param folder: an empty folder
    """
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small disk: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
