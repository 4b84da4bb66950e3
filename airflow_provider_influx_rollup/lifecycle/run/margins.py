"""Margins of safety for clocks that differ and runs that take long, each with its reason."""

from __future__ import annotations

from datetime import timedelta

# a block takes minutes at most: a run that has been writing one for longer may have crashed
BUSY_FOR = timedelta(minutes=15)
# a run may begin with points that retention takes before its block is done, or by the server's clock has taken already
RETENTION_MARGIN = BUSY_FOR
# two workers, or a worker and the server, without a common time source; more would be seen elsewhere first
WORKER_CLOCKS_DIFFER = timedelta(minutes=15)
# ranges that look for what other workers wrote reach so far beyond now
RECORDS_AHEAD = timedelta(hours=1)
# devices have worse clocks than workers: their points may lie so far beyond now
DEVICE_CLOCKS_AHEAD = timedelta(days=1)
