"""How many examples a property test tries: its own number in an ordinary run, fewer in `make check`, more in `make soak`."""

from __future__ import annotations

from hypothesis import settings

ORDINARY = 100


def examples(ordinary: int) -> int:
    """The number of examples under the profile that is loaded.

    :param ordinary: how many an ordinary run tries
    """
    return max(1, ordinary * settings.default.max_examples // ORDINARY)
