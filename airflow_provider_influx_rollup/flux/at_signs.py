"""Columns with an ``@`` in their name: Flux reads ``r["a@b"]`` as ``r["a"]``, so they have another name while it looks at them."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_influx_rollup.flux.literals import string

PREFIX = "influx_rollup_"


def is_misread(name: str) -> bool:
    """Whether Flux takes a column of this name for another one."""
    return "@" in name


def plain_name(name: str) -> str:
    """A name that Flux reads; the name itself when it reads that."""
    return f"{PREFIX}{name.encode('utf-8', 'surrogateescape').hex()}" if is_misread(name) else name


def plain_names_stage(names: Iterable[str]) -> str:
    """The stage that gives some columns their plain names; empty when all have them.

    A ``rename`` by a function compares texts; one by a record, as every record, reads the name wrongly.
    """
    return _rename((name, plain_name(name)) for name in names if is_misread(name))


def own_names_stage(names: Iterable[str]) -> str:
    """The stage that undoes ``plain_names_stage``."""
    return _rename((plain_name(name), name) for name in names if is_misread(name))


def _rename(pairs: Iterable[tuple[str, str]]) -> str:
    choices = [f"if column == {string(old)} then {string(new)} else " for old, new in pairs]
    return f"  |> rename(fn: (column) => {''.join(choices)}column)\n" if choices else ""
