"""Arrow is imported while a task waits for Airflow, and not before."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from airflow_provider_influx_rollup.client.arrow_meanwhile import import_arrow_meanwhile
assert "pyarrow" not in sys.modules
import_arrow_meanwhile().join()
assert "pyarrow" in sys.modules
from airflow_provider_influx_rollup.archive.annotated_arrow import ArrowDecoder
"""


def test_arrow_is_there_when_the_thread_has_ended() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
