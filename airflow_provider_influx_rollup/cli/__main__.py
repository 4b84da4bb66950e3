"""``python -m airflow_provider_influx_rollup.cli``."""

from __future__ import annotations

import sys

from airflow_provider_influx_rollup.cli.main import main

sys.exit(main())
