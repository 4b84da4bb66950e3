"""The queries of a rollup that lets InfluxDB write, as a user who knows the fast form would send them."""

from __future__ import annotations

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.chains import RollupChains
from airflow_provider_influx_rollup.steps.step import Steps


def own_flux(steps: Steps[object], client: InfluxClient) -> list[str]:
    """Run a rollup, and keep the queries that it writes with, in their order.

    :param steps: a rollup with ``compute="server"``
    """
    found: list[str] = []

    def tapped() -> Steps[object]:
        answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(step, RollupChains) and step.may_write:
                found.append(step.flux())
            answer = yield step

    drive(tapped(), client, lambda _report: None)
    return found
