"""Dictionaries without texts that no row has, against what Python makes of the same rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.value_kinds import without_unused_texts

TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "é", "long text"]))
CODED = pa.dictionary(pa.int32(), pa.string())


@given(st.lists(st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=8), min_size=1, max_size=4))
def test_rows_stay_and_other_texts_go_when_rows_were_filtered(
    drawn: list[list[tuple[str | None, bool]]],
) -> None:
    batches = [
        pa.record_batch(
            {
                "tag": pa.array([text for text, _ in rows], pa.string()).cast(CODED),
                "number": pa.array(range(len(rows)), pa.int64()),
            }
        ).filter(pa.array([is_kept for _, is_kept in rows]))
        for rows in drawn
    ]
    table = pa.Table.from_batches(batches)
    found = without_unused_texts(table)
    kept = [text for rows in drawn for text, is_kept in rows if is_kept]
    assert found["tag"].to_pylist() == kept
    assert found["number"].to_pylist() == table["number"].to_pylist()
    assert found.schema == table.schema
    for chunk in found["tag"].chunks:
        assert set(chunk.dictionary.to_pylist()) == set(kept) - {None}


def test_pandas_is_not_imported_when_texts_go() -> None:
    # pyarrow's own array and to_numpy would import it; so the table comes from text
    program = """
import io, os, sys
import pyarrow as pa
from pyarrow import csv
from airflow_provider_influx_rollup.archive.value_kinds import without_unused_texts
kinds = csv.ConvertOptions(column_types={"tag": pa.dictionary(pa.int32(), pa.string())})
table = csv.read_csv(io.BytesIO(b"tag\\na\\nb\\nc\\n"), convert_options=kinds).slice(1)
assert without_unused_texts(table)["tag"].to_pylist() == ["b", "c"]
assert "pandas" not in sys.modules
os._exit(0)  # a reading thread of pyarrow that still ends can abort an ordinary exit
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_pandas_is_not_imported_when_points_replace_others_and_become_rows_of_a_table(tmp_path: Path) -> None:
    program = r"""
import io, os, sys
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.stores.export_rows import export_batch, export_schema
from airflow_provider_influx_rollup.stores.point_layers import layered_batches
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns
coded = pa.dictionary(pa.int32(), pa.string())
kinds = csv.ConvertOptions(column_types={
    "_time": pa.timestamp("ns", "UTC"), "tag": coded, "_field": coded, "_value": pa.float64()})
DAYS = ("1970-01-01T00:00:00", "1969-12-31T23:59:59")
points = {"old": [(-1, 1.5), (0, 2.5), (1999, 3.5)], "new": [(0, 9.5)]}
for name, some in points.items():
    rows = "".join(f"{DAYS[ns < 0]}.{ns % 10**9:09d}Z,a,f,{value}\n" for ns, value in some)
    table = csv.read_csv(io.BytesIO(("_time,tag,_field,_value\n" + rows).encode()), convert_options=kinds)
    pq.write_table(table, f"{sys.argv[1]}/{name}.parquet")
store = ArchiveStore.of_url(sys.argv[1])
span = Interval(from_ns(-10**9), from_ns(10**9))
schema = export_schema(["tag"])
found = []
for batch in layered_batches(store, (("new.parquet",), ("old.parquet",)), span):
    rows = export_batch(batch, schema)
    micros = rows.column("_time").cast(pa.int64()).to_pylist()
    found += zip(rows.column("_time_ns").to_pylist(), micros, rows.column("_value_float").to_pylist())
assert sorted(found) == [(-1, -1, 1.5), (0, 0, 9.5), (1999, 1, 3.5)], found
assert "pandas" not in sys.modules
os._exit(0)  # a reading thread of pyarrow that still ends can abort an ordinary exit
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
