"""The pipelines that a ledger knows."""

from __future__ import annotations

from airflow_provider_influx_rollup.flux.ledger_read import specs_query
from airflow_provider_influx_rollup.ledger.codec import decode_specs
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.steps import FindBucket, Query, Steps


def load_pipelines(ledger_bucket: str) -> Steps[dict[str, RollupSpec]]:
    """The spec in force of each rollup of a ledger, by the pipeline's name; none when there is no ledger.

    A user's own script has no spec that could be computed again, and is left out.

    :param ledger_bucket: the bucket of the receipts
    """
    if (yield FindBucket(ledger_bucket)) is None:
        return {}
    newest: dict[str, RollupSpec] = {}
    for pipeline, _, values in decode_specs((yield Query(specs_query(ledger_bucket)))):
        if pipeline not in newest and "source_bucket" in values:
            newest[pipeline] = RollupSpec.from_json(values)
    return newest
