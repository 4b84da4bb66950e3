"""The pod template of the guide is what Airflow's own reader makes a task's pod of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenes.doc_blocks import CHECKOUT, blocks

pytest.importorskip(
    "airflow.providers.cncf.kubernetes",
    reason="needs apache-airflow-providers-cncf-kubernetes (make executors)",
)

pytestmark = [pytest.mark.airflow, pytest.mark.executors]

PAGE = CHECKOUT / "docs/howto/executors.md"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (text,) = [block.text for block in blocks("yaml") if block.page == PAGE and "kind: Pod" in block.text]
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return path


def test_every_name_of_the_template_is_known_to_kubernetes(template: Path) -> None:
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    from kubernetes.client import ApiClient

    pod = PodGenerator.deserialize_model_file(str(template))
    # what the model does not know is dropped
    assert ApiClient().sanitize_for_serialization(pod) == yaml.safe_load(template.read_text())


def test_every_setting_of_the_guide_is_one_of_airflow() -> None:
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()
    named = set(re.findall(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", PAGE.read_text()))
    assert len(named) == 5
    known = conf.configuration_description
    assert [pair for pair in named if pair[1].lower() not in known[pair[0].lower()]["options"]] == []
    defaults = dict(re.findall(r"\| `(task_\w+)` \| (\d+) s \|", PAGE.read_text()))
    assert len(defaults) == 2
    assert {name: conf.getint("scheduler", name) for name in defaults} == {
        name: int(seconds) for name, seconds in defaults.items()
    }


def test_task_runs_in_the_container_of_the_template(template: Path) -> None:
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    from kubernetes.client import models as k8s

    (code,) = [block.text for block in blocks("python") if block.page == PAGE]
    made: dict[str, Any] = {}
    exec(code, made)  # noqa: S102 - a page of this checkout
    pod = PodGenerator.construct_pod(
        dag_id="hourly",
        task_id="rollup_1h",
        pod_id="hourly-rollup-1h-x",
        try_number=1,
        kube_image=None,
        date=None,
        args=["airflow", "tasks", "run"],
        pod_override_object=made["big"]["pod_override"],
        base_worker_pod=PodGenerator.deserialize_model_file(str(template)),
        namespace="airflow",
        scheduler_job_id="1",
        run_id="r",
    )
    assert isinstance(pod, k8s.V1Pod)
    (container,) = pod.spec.containers
    assert (container.name, container.args) == ("base", ["airflow", "tasks", "run"])
    assert pod.spec.restart_policy == "Never"
    assert pod.spec.termination_grace_period_seconds == 60
    assert container.image == "registry.example.com/airflow-influx:3.3.2-1"
    assert (container.resources.requests, container.resources.limits) == (
        {"memory": "2Gi"},
        {"memory": "4Gi"},
    )
    secrets = {one.name: one.value_from.secret_key_ref for one in container.env if one.value_from}
    connection = secrets["AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT"]
    assert (connection.name, connection.key) == ("influx-rollup", "connection")
