"""The Flux of the pages, parsed by a server."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from tests.scenes.doc_blocks import Block, blocks

pytestmark = pytest.mark.live


def errors_in(node: object) -> list[str]:
    """What the parser says of a tree, wherever it says it."""
    if isinstance(node, list):
        return [error for one in node for error in errors_in(one)]
    if isinstance(node, dict):
        own = [str(error) for error in node.get("errors") or ()]
        return own + [error for one in node.values() for error in errors_in(one)]
    return []


@pytest.mark.parametrize("block", blocks("flux"), ids=str)
def test_flux_is_parsed_when_a_page_shows_it(client: InfluxClient, block: Block) -> None:
    tree = client.parse_script(block.text)
    assert errors_in(tree) == []
    assert tree["files"][0]["body"]
