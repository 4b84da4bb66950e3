"""The tiers of a lifecycle, as a Flux function for dashboards knows them."""

from __future__ import annotations

from airflow_provider_influx_rollup.flux.tier_choice import ReadableTier, TierFunction
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.run.options import texts_of
from airflow_provider_influx_rollup.windows.duration import Duration, DurationLike

DAY_NS = 86_400_000_000_000
MONTH_NS = 30 * DAY_NS


def tier_function(lifecycle: Lifecycle) -> TierFunction:
    """The function of a lifecycle; of several measurements the first is the default of its parameter.

    :param lifecycle: any
    """
    group_by = lifecycle.group_by
    names = [name for name in lifecycle.names if name not in lifecycle.patterns]
    return TierFunction(
        raw=ReadableTier(
            bucket=lifecycle.source_bucket, every_ns=0, kept_ns=_nominal_ns(lifecycle.retention), merges=True
        ),
        tiers=[_readable(tier) for tier in lifecycle.tiers],
        measurement=names[0] if names else "",
        tags={key: texts_of(values, f"tags[{key!r}]") for key, values in lifecycle.tags.items()},
        group_by=None if group_by is None else texts_of(group_by, "group_by"),
    )


def _readable(tier: Tier) -> ReadableTier:
    every = Duration.of(tier.every)
    # days of a zone have 23 and 25 hours, and windows with an offset do not begin where Flux's do
    is_fixed = not every.months and (tier.timezone == "UTC" or every.nanoseconds < DAY_NS)
    offset = Duration.of(tier.offset, allow_zero=True)
    return ReadableTier(
        bucket=tier.bucket,
        every_ns=_nominal_ns(tier.every),
        kept_ns=_nominal_ns(tier.retention),
        # weeks begin on Monday here, and on Thursday in Flux
        merges=is_fixed and offset.is_zero and every.nanoseconds % (7 * DAY_NS) != 0,
    )


def _nominal_ns(length: DurationLike | None) -> int:
    if length is None:
        return 0
    duration = Duration.of(length)
    return duration.months * MONTH_NS + duration.nanoseconds
