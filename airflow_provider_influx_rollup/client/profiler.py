"""Memory of queries by Flux's profiler, which adds a result of its own to the end of each answer; it is taken out here."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.client.tally import tally

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.requests import Request

ALIAS = "influx_rollup_profiler"
# carriage returns are between rows only: the server's CSV loses those of texts
EMPTY_LINE = b"\r\n"
BLOCK = b"\r\n\r\n#datatype"
MARK = b"\r\n#default,_profiler,"
MEMORY = "MaxAllocated"
# nothing may come before it
_PACKAGE = re.compile(r"^\s*package\s", re.MULTILINE)
# more than the first three lines of a block have
MAX_HELD = 1 << 16


def profiled_request(flux: str, request_of: Callable[[str], Request]) -> Request:
    """The request of a script with the profiler of queries on, line by line where it was, unless it names its package.

    :param flux: any script
    :param request_of: makes the request of a script
    """
    if _PACKAGE.search(flux):
        return request_of(flux)
    script = f'import {ALIAS} "profiler" {flux}\n\noption {ALIAS}.enabledProfilers = ["query"]'
    return replace(request_of(script), is_profiled=True)


def without_profile(request: Request, pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    """The answer as it would be without the profiler; what that found is counted for the stage.

    :param pieces: of the answer
    """
    if not request.is_profiled:
        yield from pieces
        return
    held = b""
    is_profile = is_alone = is_started = False
    for piece in pieces:
        held += piece
        if not is_profile:
            start = _start_of_profile(held)
            is_profile = start is not None
            is_alone = start == 0 and not is_started
            free = len(held) - MAX_HELD if start is None else start
            if free > 0:
                is_started = True
                yield held[:free]
                held = held[free:]
    if is_profile:
        if is_alone:
            yield EMPTY_LINE
        _count(held)
    elif held:
        yield held


def _start_of_profile(held: bytes) -> int | None:
    mark = held.find(MARK)
    if mark < 0:
        return None
    # an answer without another result begins with it
    block = held.rfind(BLOCK, 0, mark)
    return 0 if block < 0 else block + len(EMPTY_LINE) * 2


def _count(profile: bytes) -> None:
    rows = [row for row in csv.reader(profile.decode(errors="replace").splitlines(keepends=True)) if row]
    header = next((row for row in rows if MEMORY in row), None)
    if header is None:
        return
    place = header.index(MEMORY)
    for row in rows[rows.index(header) + 1 :]:
        if len(row) == len(header) and row[place].isdigit():
            tally().took_memory(int(row[place]))
