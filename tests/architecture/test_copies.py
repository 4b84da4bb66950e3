"""Nothing of the shipped package stands in two places."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "airflow_provider_influx_rollup"
MOST_EQUAL_LINES = 5


def lines_of(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers, without imports, blank lines and indentation."""
    imports = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return [
        (number, " ".join(line.split()))
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and number not in imports
    ]


def copies(texts: dict[str, str], length: int) -> list[str]:
    """Runs of lines that are in two places, each named by the first line of both."""
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, text in texts.items():
        lines = lines_of(text)
        for first in range(len(lines) - length + 1):
            run = lines[first : first + length]
            places[tuple(line for _, line in run)].append(f"{name}:{run[0][0]}")
    return [" and ".join(found) for found in places.values() if len(found) > 1]


def test_no_lines_are_copied_when_the_package_is_read() -> None:
    texts = {str(path.relative_to(PACKAGE)): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
    assert len(texts) > 500
    assert copies(texts, MOST_EQUAL_LINES + 1) == []


def test_a_copy_is_found_when_it_is_indented_otherwise() -> None:
    body = [f"value_{number} = {number}" for number in range(6)]
    here = "import os\n" + "\n".join(body)
    there = "def made():\n" + "".join(f"    {line}\n\n" for line in body)
    assert copies({"a.py": here, "b.py": there}, 6) == ["a.py:2 and b.py:2"]
    assert copies({"a.py": "import os\n" * 9, "b.py": "import os\n" * 9}, 6) == []
