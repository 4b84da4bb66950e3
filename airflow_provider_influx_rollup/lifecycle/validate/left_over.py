"""Copies that a validation with ``tags`` leaves alone, as they may be another one's: of its earlier tags, perhaps."""

from __future__ import annotations

from airflow_provider_influx_rollup.flux.erase import CopiesRecords
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_read import FieldTotals
from airflow_provider_influx_rollup.lifecycle.validate.quarantine import copies_beside
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.shown import counted
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval

ADVICE = (
    "of another validation, or of earlier tags or transformations of this one; give each validation a name of its own "
    "(pipeline), and delete what none explains"
)


def tell_left_over(spec: ValidateSpec, interval: Interval, clean_written: int) -> Steps[list[str]]:
    """What people should note: values beside those of the validation, which no other one by name accounts for.

    :param clean_written: values that the clean bucket holds of this one
    """
    if spec.dry_run or not spec.tags:
        return []
    notes = []
    if spec.quarantine_bucket is not None and spec.copied_tags:
        beside = yield from copies_beside(spec, interval)
        if beside:
            notes.append(
                f"{counted(beside, 'value')} of {spec.validation_name} in the quarantine beside those of its tags: {ADVICE}"
            )
    if spec.clean_bucket is not None:
        everything = RollupSource(spec.clean_bucket, spec.output_measurement, {})
        beside = sum((yield from ask(FieldTotals(everything, interval))).values()) - clean_written
        if beside and not (yield from _is_shared(spec)):
            place = f"{spec.clean_bucket}/{spec.output_measurement}"
            notes.append(
                f"{counted(beside, 'value')} of {place} beside what {spec.validation_name} writes now: {ADVICE}"
            )
    return notes


def _is_shared(spec: ValidateSpec) -> Steps[bool]:
    """Whether a validation of another name has written clean points to the same measurement."""
    tags = {"copy_measurement": spec.output_measurement}
    records = yield from ask(CopiesRecords(spec.ledger_bucket, tags, EVER))
    return any(one.bucket == spec.clean_bucket and one.validation != spec.validation_name for one in records)
