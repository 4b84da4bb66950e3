"""Reasons for writing windows, as receipts name them."""

from __future__ import annotations

RECONCILE = "reconcile"
ERASE = "erase"
