"""Cut lines of line protocol into bodies of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airflow_provider_influx_rollup.client.requests import utf8
from airflow_provider_influx_rollup.exceptions import WriteRejected

MAX_LINES = 10_000
MAX_BYTES = 5_000_000
BLANKS = " \t\0"
MAY_BEGIN_COMMENT = frozenset(f"#{BLANKS}")


@dataclass(frozen=True, slots=True)
class Batch:
    """One body and how many lines it has."""

    payload: bytes
    line_count: int


def split_lines(
    lines: Iterable[str], *, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES
) -> Iterator[Batch]:
    """Cut lines into batches; a line longer than ``max_bytes`` goes alone.

    :raises WriteRejected: at a line that the server would take for a comment and drop without a word
    """
    pending: list[bytes] = []
    size = 0
    for line in lines:
        # most lines begin with a letter, and a look at one character is enough
        if line[:1] in MAY_BEGIN_COMMENT and line.lstrip(BLANKS).startswith("#"):
            what = f"the line {line[:100]!r} begins with #, which the server takes for a comment"
            raise WriteRejected(what, fix="choose a measurement name that does not begin with #")
        encoded = utf8(line)
        if pending and (len(pending) >= max_lines or size + len(encoded) + 1 > max_bytes):
            yield Batch(b"\n".join(pending), len(pending))
            pending, size = [], 0
        pending.append(encoded)
        size += len(encoded) + 1
    if pending:
        yield Batch(b"\n".join(pending), len(pending))
