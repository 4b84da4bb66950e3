"""A pipeline that the ledger does not know: not yet, or its name is mistyped."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.shown import few

MAX_NAMES = 5


def unknown_pipeline(name: str, stored: Sequence[StoredSpec]) -> str:
    """Say that no pipeline has a name, and which names are near; empty when one has it.

    :param stored: the specs of the ledger, scripts too
    """
    known = sorted({one.pipeline for one in stored})
    if name in known:
        return ""
    told = f"the ledger knows no pipeline {name!r}"
    near = get_close_matches(name, known, n=MAX_NAMES) or known
    return f"{told}; it knows {few([repr(one) for one in near], MAX_NAMES, between=', ')}" if near else told
