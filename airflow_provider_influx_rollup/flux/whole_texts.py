"""A query a second time, with its texts in hexadecimal, for the server's CSV loses a carriage return and keeps a hex digit.

Flux lets a script have a ``yield`` of its own: what a yield hands out passes through it, and the query stays as it is, with
all that is pushed down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.script import script_facts

#: the column of rows that hold a carriage return
LOST_COLUMN = "influx_rollup_lost"
#: the column beside a text column that holds its bytes
HEX_PREFIX = "influx_rollup_hex:"
HEX_IMPORT = 'import wholeTexts "contrib/bonitoo-io/hex"'
CARRIAGE_RETURN = literals.regex("\r")
END = '  |> yield(name: "_result")'
IMPORT = 'import "'


@dataclass(frozen=True, slots=True)
class Parted:
    """A query, cut where statements may be put in.

    :param imports: what must come before all statements
    :param body: the statements
    :param has_typed_rows: whether Flux may know the columns of its rows, as of ``array.from`` and ``map``: then it refuses to look
        at a column that only another result has
    """

    imports: str
    body: str
    has_typed_rows: bool = False


def part_query(flux: str) -> Parted:
    """Cut a query that this package made: imports first, and its only pipeline or each with a yield."""
    lines = flux.split("\n")
    count = next((number for number, line in enumerate(lines) if not line.startswith(IMPORT)), 0)
    body = "\n".join(lines[count:])
    ending = "" if "|> yield(" in body else END
    return Parted("\n".join(lines[:count]), f"{body}\n{ending}")


def part_script(flux: str, package: Mapping[str, Any]) -> Parted | None:
    """Cut a user's script; None when it must not run twice, for it writes, or reaches outside of the database.

    :param package: what the server's parser says of it
    """
    facts = script_facts(package)
    if len(package.get("files", [])) != 1 or facts.outside_imports or facts.writes:
        return None
    (file,) = package["files"]
    heads = [node for node in (file.get("package"), *(file.get("imports") or [])) if node]
    data = flux.encode()
    place = max((_offset(data, head["location"]["end"]) for head in heads), default=0)
    body = data[place:].decode()
    ending = END if _is_open(file["body"][-1]) else ""
    return Parted(data[:place].decode(), f"{body}\n{ending}", has_typed_rows=True)


def _offset(data: bytes, end: Mapping[str, int]) -> int:
    lines = data.split(b"\n")
    return sum(len(line) + 1 for line in lines[: end["line"] - 1]) + end["column"] - 1


def _is_open(statement: Mapping[str, Any]) -> bool:
    """Whether a statement is a pipeline without a yield at its end, which Flux gives one."""
    if statement["type"] != "ExpressionStatement":
        return False
    call = statement["expression"].get("call") or statement["expression"]
    return bool(call.get("callee", {}).get("name") != "yield")


def lost_text_query(parted: Parted, columns: Iterable[str]) -> str:
    """Rows of a query that hold a carriage return, with a column of their own: profilers make other rows.

    :param columns: text columns
    """
    lost = " or ".join(f"({_has(name)} and {_text(name)} =~ {CARRIAGE_RETURN})" for name in sorted(columns))
    mark = f"|> set(key: {literals.string(LOST_COLUMN)}, value: {literals.string('yes')})"
    return _with_yield(parted, f"|> filter(fn: (r) => {lost}) |> limit(n: 1) {mark}")


def hex_query(parted: Parted, columns: Iterable[str], *, with_names: bool) -> str:
    """The rows of a query with the bytes of its texts beside them.

    :param columns: text columns
    :param with_names: the names of the columns in hexadecimal too
    """
    named = [hex_text(name) if with_names else name for name in sorted(columns)]
    twins = ", ".join(
        f"{literals.string(HEX_PREFIX + name)}: if {_has(name)} then {_hex(_text(name))} else {literals.string('')}"
        for name in named
    )
    stages = [f"|> rename(fn: (column) => {_hex('column')})"] if with_names else []
    if twins:
        stages.append(f"|> map(fn: (r) => ({{r with {twins}}}))")
    return _with_yield(parted, " ".join(stages))


def hex_text(text: str) -> str:
    """A text in hexadecimal; bytes that are no UTF-8 as they came."""
    return text.encode("utf-8", "surrogateescape").hex()


def _with_yield(parted: Parted, stages: str) -> str:
    # of what a rename by a function gives, Flux knows no columns
    typeless = "|> rename(fn: (column) => column) " if parted.has_typed_rows else ""
    return "\n".join(
        [
            parted.imports,
            HEX_IMPORT,
            "plainYield = yield",
            f'yield = (name="_result", tables=<-) => tables {typeless}{stages} |> plainYield(name: name)',
            parted.body,
        ]
    )


def _has(name: str) -> str:
    return f"exists r[{literals.string(name)}]"


def _text(name: str) -> str:
    # a column may be no text in some tables
    return f"string(v: r[{literals.string(name)}])"


def _hex(expression: str) -> str:
    return f"wholeTexts.string(v: bytes(v: {expression}))"
