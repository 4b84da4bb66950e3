"""``python -m dev.emulators``: make sure that both servers are in the user's cache."""

from __future__ import annotations

import sys

from dev.emulators.build import build
from dev.influx_server.errors import ServerError


def main() -> int:
    """Build what is missing; give the exit status."""
    try:
        build()
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
