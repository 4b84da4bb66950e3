"""Meaning of the server's messages: each decision by the text of an error stands here.

InfluxDB says overload, a missing bucket, a panic and a wrong query with the same status, so only the words tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    InfluxError,
    InfluxForbidden,
    InfluxOverloaded,
    InfluxRollupError,
    InfluxUnavailable,
    OrgNotFound,
    QueryFailed,
    QueryTooLarge,
    WriteRejected,
)

#: part of the message of an answer with other bytes than text
NOT_TEXT = "bytes that are not UTF-8"

# what the server, and the reader of its answers, say where a tag has the name of a column of theirs
_COLUMNS_OF_ONE_NAME = re.compile(
    r"interface conversion: array\.Array is|column \d+ and \d+ have the same name|two columns of the name"
)
# what the server says of another one that a script asks, such as by to(host:)
_OTHER_AWAY = re.compile(
    r'"https?://[^"]*": (?:(?:dial|read|write) tcp[ :]|EOF|unexpected EOF|.*Client\.Timeout exceeded)'
)
# first match wins
_CLASS_BY_TEXT: tuple[tuple[re.Pattern[str], type[InfluxError]], ...] = (
    (re.compile(r"organization .*not found", re.DOTALL), OrgNotFound),
    (re.compile(r"could not find bucket|bucket .*not found", re.DOTALL), BucketNotFound),
    (re.compile(r"queue length exceeded"), InfluxOverloaded),
    (re.compile(r"memory allocation limit"), QueryTooLarge),
    # each of these would fail again; the server says them with status 500, with 400, or inside the answer
    (re.compile(r"a panic has occurred"), QueryFailed),
    (_COLUMNS_OF_ONE_NAME, QueryFailed),
    (re.compile(r"runtime error .*max key length exceeded"), QueryFailed),
    (
        re.compile(
            r"is unauthorized|insufficient permissions|not authorized|is forbidden|failed to [\w ]+: unauthorized"
        ),
        InfluxForbidden,
    ),
    (re.compile(r"partial write"), WriteRejected),
    (
        re.compile(r"context canceled|context deadline exceeded|engine is closed|database: timeout"),
        InfluxUnavailable,
    ),
    (_OTHER_AWAY, InfluxUnavailable),
    # mistakes of the script that the server answers with status 500
    (
        re.compile(r"runtime error .*(?:must have non-empty names|failed to evaluate \w+ function)"),
        QueryFailed,
    ),
)
_BUCKET_NAME = re.compile(r'bucket "(.+?)" not found|could not find bucket "(.+?)"')
_NO_LIST = re.compile(r"no buckets found in organization (\w+)")
_DROPPED = re.compile(r"dropped[= ](\d+)")
# what a dry run without rows says where a run with rows would not
_LACKS_ROWS = ("no table found", "error calling function", "out of range", "out of bounds")
# the first that fits
_CURES_OF_SCRIPTS = (
    ("could not find bucket", "create the bucket, correct its name, or give the token permission to read it"),
    ("undefined identifier params", "pass the value in params_flux"),
    (
        "record is missing label every",
        "write the window's length instead of task.every, or give option task an every; a value in params_flux is params.every",
    ),
    ("record is missing label", "pass the value in params_flux"),
    ("undefined identifier", "define the name, or import its package"),
    ("no streaming data", "end the script with a pipeline, such as one with to()"),
    ("", "correct the script; the numbers after @ are line and column"),
)
_PARSE_PLACE = re.compile(r"loc (\d+):(\d+)-\d+:\d+: (.*)", re.DOTALL)
_PLACE = re.compile(r"\s*@(\d+):(\d+)-\d+:\d+")
_TOLD = re.compile(r"error\s+(?:in [^@\n]*)?@(\d+):(\d+)-\d+:\d+: ([^\n]*)")
_UNSEEN_BUCKET = re.compile(r"bucket '(.+?)' was not found|could not find bucket \"(.+?)\"")
_CURES_OF_PLACES = (
    (re.compile(r"undefined identifier"), "define the name, correct it, or import its package"),
    (re.compile(r"unexpected argument|missing required argument"), "correct the arguments of the call"),
    (re.compile(r"expected .* found"), "make the types equal"),
    (re.compile(""), "correct the script here"),
)

#: line, column in bytes, and message
Told = tuple[int, int, str]


def class_of_message(message: str) -> type[InfluxError] | None:
    """The error class of a server's message; None when its status decides."""
    return next((of_text for pattern, of_text in _CLASS_BY_TEXT if pattern.search(message)), None)


def has_columns_of_one_name(message: str) -> bool:
    """Whether a tag is called like a column of the answer."""
    return bool(_COLUMNS_OF_ONE_NAME.search(message))


def is_other_away(error: InfluxRollupError) -> bool:
    """Whether the server has answered, and could not reach another one that a script asks."""
    return bool(_OTHER_AWAY.search(error.what))


def missing_bucket(message: str) -> str | None:
    """Name of the bucket that was not found; None when the message has none."""
    found = _BUCKET_NAME.search(message)
    return (found[1] or found[2]) if found else None


def organization_without_list(error: InfluxRollupError) -> str | None:
    """Id of the organisation whose list of buckets has none for the token, which may read some; None for other errors."""
    found = _NO_LIST.search(error.what)
    return found[1] if found else None


def written_of_refused(message: str) -> str:
    """Describe what a refused write left: a partial write keeps the good points of its batch."""
    if "partial write" not in message:
        return "nothing of this batch"
    found = _DROPPED.search(message)
    dropped = f"{found[1]} points" if found else "an unknown number of points"
    return f"all of the batch but {dropped}, which the server dropped"


def is_disk_full(message: str) -> bool:
    """Whether the server has no room on its disk, or had none when it tried to open a shard."""
    return "no space left on device" in message


def is_queue_full(error: InfluxRollupError) -> bool:
    """Whether the server had no room for one query more."""
    return "queue length exceeded" in error.what


def is_taken(error: InfluxRollupError) -> bool:
    """Whether something of the name exists already."""
    return "already exists" in error.what


def is_not_text(error: InfluxRollupError) -> bool:
    """Whether the answer held bytes that are not UTF-8."""
    return NOT_TEXT in error.what


def is_type_conflict(error: InfluxRollupError) -> bool:
    """Whether a shard holds the field with another type. A script writes inside the server, whose query fails then."""
    return "field type conflict" in error.what


def is_before_retention(error: InfluxRollupError) -> bool:
    """Whether the bucket keeps no points as old as what was written."""
    return "retention policy" in error.what


def is_key_too_long(error: InfluxRollupError) -> bool:
    """Whether a row's key is longer than InfluxDB can hold, which it says when it is to write such a row itself."""
    return "max key length exceeded" in error.what


def has_table_twice(error: InfluxRollupError) -> bool:
    """Whether a query met two tables of one group key."""
    return "found duplicate table with key" in error.what


def is_unbounded(error: InfluxRollupError) -> bool:
    """Whether a script reads without a time range."""
    return "unbounded read" in error.what


def lacks_rows(error: InfluxRollupError) -> bool:
    """Whether a script that takes values out of tables failed only because there were no rows."""
    return any(words in error.what for words in _LACKS_ROWS)


def cure_of_script(error: InfluxRollupError) -> str:
    """Advice for a script that the server refused."""
    return next(cure for words, cure in _CURES_OF_SCRIPTS if words in error.what)


def parse_failure(error: InfluxRollupError) -> Told:
    """Place of a script that the server could not parse; it is often the beginning of what was not ended."""
    found = _PARSE_PLACE.search(error.what)
    text = _PLACE.sub("", found[3] if found else error.what).strip()
    return (int(found[1]), int(found[2]), text) if found else (1, 1, text)


def compile_failures(error: InfluxRollupError) -> list[Told]:
    """All places that the server's compiler names."""
    return [(int(line), int(column), text) for line, column, text in _TOLD.findall(error.what)]


def failed_place(error: InfluxRollupError) -> tuple[int, int] | None:
    """First place that an error names, such as one of a run; None when it names none."""
    found = _PLACE.search(error.what)
    return (int(found[1]), int(found[2])) if found else None


def unseen_bucket(error: InfluxRollupError) -> str | None:
    """Name of the bucket that a script reads or writes and the token does not see."""
    found = _UNSEEN_BUCKET.search(error.what)
    return (found[1] or found[2]) if found else None


def misses_params(failures: Sequence[Told]) -> bool:
    """Whether a script reads ``params``, which are not bound."""
    return any("undefined identifier params" in text for *_, text in failures)


def cure_of_place(text: str) -> str:
    """Fix for one failure of the compiler."""
    return next(cure for pattern, cure in _CURES_OF_PLACES if pattern.search(text))
