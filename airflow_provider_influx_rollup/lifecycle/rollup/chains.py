"""The scripts that compute fields of a rollup in InfluxDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.aggregates.catalog import Source, find_aggregate
from airflow_provider_influx_rollup.flux.chains import RollupChains
from airflow_provider_influx_rollup.flux.rollup import Chain, extreme_chains
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun

MAX_CHAINS_PER_QUERY = 100
COUNT = find_aggregate("count")
INTEGERS = frozenset({"integer", "unsigned"})
# what InfluxDB cuts off to 64 bits, or to the digits of a float
SUMS = frozenset({"sum", "mean", "spread", "stddev"})
EXTREMES = frozenset({"min", "max"})


def chains_of(
    job: RollupBlock, name: str, *, is_written: bool = False, is_joined: bool = False
) -> list[Chain]:
    """The chains of one field: its columns, and its count even when it is not stored.

    :param is_written: whether InfluxDB writes the columns, so that their size need not be checked
    :param is_joined: whether the series keys of one tag set are taken together, which is not pushed down
    """
    chains = [
        Chain(
            field=name,
            flux_function=(c.aggregate.flux_of_ties if is_joined else "") or c.aggregate.flux,
            is_pushed=c.aggregate.source is Source.PUSHED,
            column=c.name,
        )
        for c in job.columns_of(name)
    ]
    counter = f"{name}_{COUNT.name}"
    if all(chain.column != counter for chain in chains):
        chains.append(
            Chain(field=name, flux_function=COUNT.flux, is_pushed=True, column=counter, is_written=False)
        )
    if is_joined:
        return [replace(chain, is_joined=True) for chain in chains]
    return chains + ([] if is_written else watching_chains(job, name))


def rollup_scripts(
    job: RollupBlock, fields: Sequence[str], *, is_written: bool = False, is_joined: bool = False
) -> list[RollupChains]:
    """The scripts that compute fields in InfluxDB, each of a bounded number of chains.

    :param is_written: whether InfluxDB also writes what it computes
    :param is_joined: whether the series keys of one tag set are taken together, which is not pushed down
    """
    chains = [
        chain for name in fields for chain in chains_of(job, name, is_written=is_written, is_joined=is_joined)
    ]
    if not is_written:
        chains = [replace(chain, is_written=False) for chain in chains]
    return scripts_of(job, chains)


def scripts_of(job: RollupBlock, chains: Sequence[Chain]) -> list[RollupChains]:
    """The scripts of some chains, each of a bounded number of them."""
    most_runs = max(1, MAX_CHAINS_PER_QUERY // max(1, len(chains)))
    runs = job.runs
    scripts = []
    for first_run in range(0, len(runs), most_runs):
        for first_chain in range(0, len(chains), MAX_CHAINS_PER_QUERY):
            part = chains[first_chain : first_chain + MAX_CHAINS_PER_QUERY]
            some_runs: list[EqualRun] = runs[first_run : first_run + most_runs]
            scripts.append(
                RollupChains(
                    source=job.source,
                    chains=tuple(part),
                    runs=some_runs,
                    target_bucket=job.spec.target_bucket,
                    target_measurement=job.spec.output_measurement,
                )
            )
    return scripts


def is_watched(job: RollupBlock, name: str) -> bool:
    """Whether it decides about a field's columns how large its integers are."""
    return any(c.field_type in INTEGERS and c.aggregate.name in SUMS for c in job.columns_of(name))


def watching_chains(job: RollupBlock, name: str) -> list[Chain]:
    """The chains that tell how large an integer field's values are, besides columns that tell it themselves."""
    asked = {column.aggregate.name for column in job.columns_of(name)}
    chains = extreme_chains([name]) if is_watched(job, name) else []
    return [chain for chain in chains if chain.flux_function not in asked]
