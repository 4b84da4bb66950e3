"""No text of a lifecycle file changes what a query or a delete does: the server's parser, and the points that are left, say so."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.transport import Transport
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.globs import is_glob
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.examples import examples
from tests.scenes.plain_points import PlainInflux, Point, plain_line
from tests.scenes.query_shape import shape

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

DAY = Interval(datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC))
PIECES = (
    '"', "\\", "${", "}", "/", "//", " ", "'", "(", ")", "|>", "=>", "=~", ":", ",", "-", "#", "&a", "!b", "%", "'; DROP", '") |> drop(',
    " AND ", " OR ", '"="', "=", "to(", "{{", "}}", "é", "null", "true", "1", "[", "]", "> ", "--",
)  # fmt: skip


def is_possible(text: str) -> bool:
    try:
        for kind in ("bucket", "measurement", "tag", "field", "tag value"):
            validate_name(kind, text)  # type: ignore[arg-type]
    except ConfigurationError:
        return False
    # a bucket's name may not end in what a file system does not keep
    return not is_glob(text) and text == text.strip()


texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join).filter(is_possible)
KINDS = ("source", "target", "measurement", "field", "key", "value", "pipeline")


def lifecycle_of(names: Mapping[str, str], folder: Path) -> dict[str, Any]:
    return {
        "source_bucket": names["source"],
        "measurement": names["measurement"],
        "tags": {names["key"]: [names["value"]]},
        "group_by": [names["key"]],
        "fields": [names["field"]],
        "ledger_bucket": f"{names['target']}_l",
        "tiers": [
            {
                "bucket": names["target"],
                "every": "6h",
                "name": names["pipeline"],
                "aggregates": {names["field"]: ["count", "sum", "max", "first"]},
            },
            {
                "bucket": f"{names['target']}2",
                "every": "1d",
                "name": f"{names['pipeline']} 2",
                "aggregates": ["sum"],
            },
        ],
        "reconcile": "1d",
        "deadman": {"silence": "10m"},
        "archive": {"path": str(folder), "every": "1d"},
    }


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The Flux of all queries that are sent meanwhile."""
    sent: list[str] = []
    real = Transport.stream

    def stream(self: Transport, request: Any, *more: Any, **options: Any) -> Iterator[bytes]:
        # one that did not get through is sent again
        yield from real(self, request, *more, **options)
        if "/api/v2/query" in request.path and "ast" not in request.path and request.body:
            sent.append(json.loads(request.body)["query"])

    with mock.patch.object(Transport, "stream", stream):
        yield sent


def run_all(
    server: InfluxServer, client: InfluxClient, names: Mapping[str, str], folder: Path, dump: Any
) -> tuple[int, list[str]]:
    """All stages of a lifecycle over some points, and the Flux that they sent."""
    for bucket in (names["source"], names["target"], f"{names['target']}2"):
        client.ensure_bucket(bucket)
    tags = ((names["key"], names["value"]),)
    points = [
        Point(tags, names["field"], "float", number / 3, DAY.start_ns + number * 3600 * 10**9)
        for number in range(24)
    ]
    client.write_lines(names["source"], [plain_line(names["measurement"], one) for one in points])
    path = folder / "lifecycle.yaml"
    path.write_text(dump(lifecycle_of(names, folder / "lake")))
    address = ["--url", server.url, "--org", server.org]
    with recorded() as sent:
        code = main(["run", str(path), *address, "--from", "2025-03-01", "--to", "2025-03-02", "--json"])
    return code, sent


def shapes(client: InfluxClient, sent: list[str]) -> tuple[Counter[str], list[str]]:
    """How often each shape was sent; those that ask again for an answer with odd texts apart."""
    asked = [(flux, json.dumps(shape(client.parse_script(flux)), sort_keys=True)) for flux in sent]
    again = [found for flux, found in asked if 'import wholeTexts "' in flux]
    return Counter(found for flux, found in asked if 'import wholeTexts "' not in flux), again


def names_of(given_texts: Mapping[str, str]) -> dict[str, str]:
    """Each name once on the server, and none equal to another."""
    run = uuid.uuid4().hex[:6]
    named = {kind: f"{text}{kind}" for kind, text in given_texts.items()}
    # a line that begins with # is a comment
    named["measurement"] = f"m{named['measurement']}"
    # InfluxDB takes no quotes in the names of buckets
    buckets = {kind: named[kind].replace('"', "'") + run for kind in ("source", "target")}
    return {**named, **buckets}


DUMPS = {
    "json": lambda values: json.dumps(values, ensure_ascii=False),
    "yaml": lambda values: str(yaml.safe_dump(values, allow_unicode=True)),
}


@given(given_texts=st.fixed_dictionaries(dict.fromkeys(KINDS, texts)), dump=st.sampled_from(["json", "yaml"]))
@settings(
    max_examples=examples(2),
    # an example takes seconds: a failure is told as it was found
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_queries_keep_their_shape_whatever_a_lifecycle_file_names(
    influx: InfluxServer,
    client: InfluxClient,
    tmp_path_factory: pytest.TempPathFactory,
    given_texts: dict[str, str],
    dump: str,
) -> None:
    folder = tmp_path_factory.mktemp("file")
    # the fields of a bucket with a slash cannot be listed: it is read as if each had had two types
    plain_texts = {
        kind: "n/" if "/" in text and kind == "source" else "n" for kind, text in given_texts.items()
    }
    address = InfluxAddress(influx.url, influx.org, influx.token)
    with (
        address.buckets_made_meanwhile_deleted(),
        mock.patch.dict("os.environ", {"INFLUX_TOKEN": influx.token}),
    ):
        harmless = run_all(influx, client, names_of(plain_texts), folder, DUMPS["json"])
        hostile = run_all(influx, client, names_of(given_texts), folder, DUMPS[dump])
    assert hostile[0] == harmless[0] == 0
    assert len(harmless[1]) > 20
    expected, _ = shapes(client, harmless[1])
    found, again = shapes(client, hostile[1])
    assert found == expected
    assert not any('"name": "to"' in one for one in again)


tag_sets = st.dictionaries(
    st.sampled_from(["a", "b", *PIECES[:6]]), st.one_of(texts, st.just("x")), max_size=3
)


@given(
    # a line that begins with # is a comment
    measurements=st.lists(texts.map(lambda text: f"m{text}"), min_size=2, max_size=2, unique=True),
    held=st.lists(tag_sets, min_size=1, max_size=6),
    chosen=st.data(),
)
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_points_that_a_delete_names_are_gone_and_no_others(
    influx: InfluxServer,
    client: InfluxClient,
    bucket_factory: Any,
    measurements: list[str],
    held: list[dict[str, str]],
    chosen: st.DataObject,
) -> None:
    plain, bucket = PlainInflux(influx), bucket_factory()
    held = [{key: text for key, text in tags.items() if is_possible(key)} for tags in held]
    times = [DAY.start_ns - 1, DAY.start_ns, DAY.stop_ns - 1, DAY.stop_ns]
    points = {
        name: [
            Point(tuple(sorted(tags.items())), f"f{number}", "integer", number, time)
            for number, tags in enumerate(held)
            for time in times
        ]
        for name in measurements
    }
    for name, some in points.items():
        plain.write(bucket, name, some)
    whole = chosen.draw(st.sampled_from(held))
    keys = chosen.draw(st.sets(st.sampled_from(sorted(whole))) if whole else st.just(set()))
    wanted = {key: whole[key] for key in keys}
    drive(ask(Delete(bucket, DAY, measurements[0], wanted)), client, lambda _report: None)
    for name in measurements:
        left = {
            one.key: one.value
            for one in points[name]
            if name != measurements[0]
            or not wanted.items() <= dict(one.tags).items()
            or not DAY.start_ns <= one.time_ns < DAY.stop_ns
        }
        assert plain.read(bucket, name) == left
