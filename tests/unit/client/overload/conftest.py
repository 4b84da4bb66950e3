"""Here servers are left alone that do not answer."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _every_request_goes() -> None:
    """Not here."""
