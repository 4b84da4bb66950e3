"""Import Arrow in a thread: a tenth of a second, in which a task waits for Airflow anyway."""

from __future__ import annotations

import importlib
from threading import Thread

DECODER = "airflow_provider_influx_rollup.archive.annotated_arrow"


def import_arrow_meanwhile() -> Thread:
    """Begin to import what decodes the answers of InfluxDB; whoever needs it earlier waits for the rest."""
    thread = Thread(target=importlib.import_module, args=(DECODER,), name="influx-rollup-arrow", daemon=True)
    thread.start()
    return thread
