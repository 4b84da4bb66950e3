"""Why windows are written, as a receipt says it."""

from __future__ import annotations

RECONCILE = "reconcile"
ERASE = "erase"
