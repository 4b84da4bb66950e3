"""Queries that ask for texts in another way; tests/live/test_texts.py and test_texts_of_queries.py show what they return."""

from __future__ import annotations

from typing import Any

from airflow_provider_influx_rollup.flux.whole_texts import (
    hex_query,
    hex_text,
    lost_text_query,
    part_query,
    part_script,
)

READ = 'from(bucket: "b")\n  |> range(start: 0)'


def parsed(*imports: str, last: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the server says of a script with an import in each line, and one statement."""
    heads = [
        {
            "path": {"value": path},
            "location": {"end": {"line": number, "column": len(f'import "{path}"') + 1}},
        }
        for number, path in enumerate(imports, start=1)
    ]
    call = {"type": "CallExpression", "callee": {"type": "Identifier", "name": "from"}, "arguments": []}
    body = [last or {"type": "ExpressionStatement", "expression": call}]
    return {"files": [{"package": None, "imports": heads, "body": body}]}


def test_statements_come_after_the_imports_when_a_query_has_some() -> None:
    query = lost_text_query(
        part_query(f'import "types"\nimport "strings"\n\n{READ} |> yield(name: "x")'), ["a"]
    )
    lines = query.split("\n")
    assert lines[:2] == ['import "types"', 'import "strings"']
    assert lines[2].startswith("import wholeTexts ")
    assert lines[3] == "plainYield = yield"
    assert query.endswith(f'{READ} |> yield(name: "x")\n')


def test_a_yield_is_added_when_the_only_pipeline_has_none() -> None:
    assert part_query(READ).body == f'{READ}\n  |> yield(name: "_result")'


def test_columns_are_quoted_when_they_have_any_name() -> None:
    query = hex_query(part_query(READ), ['ta"g', "${x}"], with_names=False)
    assert 'exists r["ta\\"g"]' in query
    assert '"influx_rollup_hex:\\x24{x}"' in query
    assert "rename(" not in query
    named = hex_query(part_query(READ), ["tag"], with_names=True)
    assert 'exists r["746167"]' in named
    assert named.index("rename(") < named.index("map(")


def test_a_script_is_cut_behind_its_last_import_when_comments_hold_quotes() -> None:
    script = f'import "strings"\nimport "math" // "é\n{READ} // end'
    parted = part_script(script, parsed("strings", "math"))
    assert parted is not None
    assert parted.imports == 'import "strings"\nimport "math"'
    assert parted.body == f' // "é\n{READ} // end\n  |> yield(name: "_result")'


def test_a_script_is_left_alone_when_it_reaches_outside() -> None:
    assert part_script(f'import "http"\n{READ}', parsed("http")) is None


def test_bytes_are_spelled_when_they_are_no_text() -> None:
    assert hex_text("é\r") == "c3a90d"
    assert hex_text(b"K\xf6ln".decode("utf-8", "surrogateescape")) == "4bf66c6e"
