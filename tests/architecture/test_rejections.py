"""Decisions by the text of an error: only where the words come from outside, and in one file for each speaker."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import pytest

import airflow_provider_influx_rollup
from airflow_provider_influx_rollup import exceptions

PACKAGE = Path(airflow_provider_influx_rollup.__file__).parent
ALLOWED = {
    "rejections.py": "InfluxDB's messages",
    "stores/store_errors.py": "those of the libraries of stores",
}
READS = {"search", "match", "fullmatch", "findall", "finditer"}
ASKS = {"startswith", "endswith", "find", "index", "count"}


def is_told(node: ast.expr, told: set[str]) -> bool:
    """Whether an expression is the text of an error.

    :param told: names of errors, and of texts of errors
    """
    match node:
        case ast.Call(func=ast.Name("str" | "repr"), args=[argument]):
            return is_told(argument, told)
        case ast.Attribute(value=ast.Name(name), attr="what" | "message" | "args" | "reason"):
            return name in told
        case ast.Name(name):
            return name in told
        case ast.Call(func=ast.Attribute(value=value, attr="lower" | "strip" | "casefold")):
            return is_told(value, told)
    return False


def told_names(function: ast.AST) -> set[str]:
    """Names of errors in a function, and of the texts that it takes out of them."""
    told = {one.name for one in ast.walk(function) if isinstance(one, ast.ExceptHandler) and one.name}
    for one in ast.walk(function):
        if isinstance(one, ast.arg) and one.annotation is not None and is_error(ast.unparse(one.annotation)):
            told.add(one.arg)
    for one in ast.walk(function):
        if isinstance(one, ast.Assign) and is_told(one.value, told):
            told |= {name.id for name in one.targets if isinstance(name, ast.Name)}
    return told


def is_error(annotation: str) -> bool:
    """Whether a parameter is an error, or one of several."""
    return any(
        isinstance(
            found := getattr(exceptions, name.strip(), None) or getattr(builtins, name.strip(), None), type
        )
        and issubclass(found, BaseException)
        for name in annotation.split("|")
    )


def is_membership(operator: ast.cmpop) -> bool:
    """Whether it is ``in`` or ``not in``."""
    return type(operator).__name__.endswith("In")


def decisions(source: str) -> list[str]:
    """Places that decide by the text of an error."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        told = told_names(function)
        for node in ast.walk(function):
            match node:
                case ast.Compare(ops=[operator], comparators=[text]) if is_membership(operator) and is_told(
                    text, told
                ):
                    found.append(f"{function.name}: {ast.unparse(node)}")
                case ast.Call(func=ast.Attribute(attr=name), args=[*_, text]) if name in READS and is_told(
                    text, told
                ):
                    found.append(f"{function.name}: {ast.unparse(node)}")
                case ast.Call(func=ast.Attribute(value=text, attr=name)) if name in ASKS and is_told(
                    text, told
                ):
                    found.append(f"{function.name}: {ast.unparse(node)}")
    return found


def test_no_decision_by_the_text_of_an_error_but_where_the_words_are_known() -> None:
    found = {
        name: places
        for path in sorted(PACKAGE.rglob("*.py"))
        if (places := decisions(path.read_text())) and (name := path.relative_to(PACKAGE).as_posix())
    }

    assert {name: places for name, places in found.items() if name not in ALLOWED} == {}
    assert set(found) == set(ALLOWED), "a file that decides by no text any more needs no permission"


@pytest.mark.parametrize(
    "body",
    [
        "    if 'partial write' in error.what:\n        raise",
        "    if 'partial write' not in str(error):\n        raise",
        "    text = str(error)\n    if 'partial write' in text.lower():\n        raise",
        "    if re.search('partial write', error.what):\n        raise",
        "    if error.what.startswith('partial'):\n        raise",
    ],
)
def test_a_planted_decision_is_found(body: str) -> None:
    planted = "def write(error: WriteRejected) -> None:\n" + body

    assert decisions(planted)
