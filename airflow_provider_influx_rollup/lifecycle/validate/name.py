"""The name of a validation that was given none: it is made of the bucket's, and stays when that is renamed."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_influx_rollup.flux.erase import CopiesRecords
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.all_time import EVER


def named_as_before(spec: ValidateSpec, source: Bucket) -> Steps[ValidateSpec]:
    """A validation with the name under which its copies are: a rerun must find those that it is to take away.

    :param source: the spec's bucket
    """
    if spec.name is not None or not spec.copied_to():
        return spec
    tags = {"measurement": spec.measurement, "source_id": source.id}
    copies = yield from ask(CopiesRecords(spec.ledger_bucket, tags, EVER))
    known = {
        one.validation for one in copies if one.validation == f"{one.source_bucket}/{one.source_measurement}"
    }
    if not known or spec.validation_name in known:
        return spec
    return replace(spec, known_as=min(known))
