"""Callbacks for Airflow tasks."""

from __future__ import annotations
