"""Names that the target could not hold, found before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airflow_provider_influx_rollup.aggregates.frame import NOT_TAGS
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName
from airflow_provider_influx_rollup.flux.names import RENAME_TAG
from airflow_provider_influx_rollup.flux.source_schema import OF_EVERY_SOURCE
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec


def require_writable(spec: RollupSpec, columns: Sequence[Column], tag_keys: Collection[str]) -> None:
    """Refuse names that line protocol cannot hold, and a tag whose column InfluxDB would overwrite when it writes itself.

    :param columns: the fields of the target
    :param tag_keys: of the source
    :raises InvalidName: naming what cannot be written, or deleted by its tags when the source has lost it
    :raises ConfigurationError: when InfluxDB is to write a tag and a field of one name
    """
    if not columns:
        return
    kept = set(tag_keys) - NOT_TAGS
    if spec.group_by is not None:
        kept &= set(spec.group_by)
    _require_deletable(spec, kept)
    both = kept & {column.name for column in columns}
    if both and spec.compute == "server":
        name = min(both)
        what = (
            f"tag {name!r} of measurement {spec.measurement!r} has the name of a field of the target: "
            "in Flux, which is to write them, both would be one column"
        )
        fix = 'leave compute="server" out: the worker can write both'
        raise ConfigurationError(what, written="nothing", fix=fix)
    encode_line(spec.output_measurement, dict.fromkeys(kept, "-"), {c.name: 1.0 for c in columns}, 0)


def require_readable(spec: RollupSpec, listed: Sequence[str]) -> None:
    """Refuse a source whose points no query can read as they are.

    :param listed: the tag keys of the source, as the server lists them: its own columns, and a tag of such a name once more
    :raises InvalidName: naming the tag
    """
    twice = [name for name in OF_EVERY_SOURCE if listed.count(name) > 1]
    if twice:
        what = f"measurement {spec.measurement!r} has a tag called {twice[0]}, which is the name of a column of InfluxDB"
        raise InvalidName(what, written="nothing", fix=RENAME_TAG)


def _require_deletable(spec: RollupSpec, tag_keys: Collection[str]) -> None:
    """No delete can name a tag key with a carriage return: rows of points that go later would stay."""
    broken = sorted(key for key in tag_keys if "\r" in key)
    if broken:
        what = f"measurement {spec.measurement!r} has the tag key {broken[0]!r}, with a carriage return, which no delete can name"
        fix = "write these points again under another tag key and delete the old ones, or give a group_by without it"
        raise InvalidName(what, written="nothing", fix=fix)
