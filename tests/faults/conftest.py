"""A disk of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.small_disk import SmallDisk, small_disk

MEGABYTES = 96


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """One with room for a server."""
    folder = tmp_path / "small"
    folder.mkdir()
    with small_disk(folder, MEGABYTES) as made:
        yield made
