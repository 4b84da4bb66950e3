from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_influx_rollup"
PURE = [
    "arrow_numbers",
    "exceptions",
    "globs",
    "hashing",
    "windows",
    "flux",
    "ledger",
    "archive",
    "aggregates",
    "steps",
    "lifecycle",
    "stores",
    "client",
    "cli",
]


def test_core_client_and_command_line_import_when_airflow_is_not_installed() -> None:
    program = f"""
import importlib, pkgutil, sys
sys.modules["airflow"] = None
for name in {PURE!r}:
    module = importlib.import_module("{PACKAGE}." + name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), module.__name__ + "."):
        importlib.import_module(found.name)
print(sum(name.startswith("{PACKAGE}.") for name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= len(PURE)


PLANTED = {
    "lifecycle/run/clock.py": ("lifecycle.rollup.plan", "verbs: imports go down only"),
    "client/driver.py": ("lifecycle.rollup.rollup", "layers: imports go down only"),
    "stores/versions.py": ("lifecycle.archive.archive", "stores know the archive's documents, and no verb"),
}
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def test_contracts_are_broken_when_files_import_upward(tmp_path: Path) -> None:
    """That they are kept is seen by ``make lint``, in the same check."""
    shutil.copytree(CHECKOUT / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    for file, (imported, _contract) in PLANTED.items():
        planted = tmp_path / PACKAGE / file
        planted.write_text(f"{planted.read_text()}\nimport {PACKAGE}.{imported}\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    told = COLOR.sub("", done.stdout)
    for contract in {contract for _imported, contract in PLANTED.values()}:
        assert f"{contract} BROKEN" in told


SHARED = {"run", "pipeline", "ledger", "archive_files", "source", "target", "statuses", "native_tasks"}


def test_verb_has_an_entry_of_its_name_when_it_has_a_folder() -> None:
    folders = {
        path.name for path in (CHECKOUT / PACKAGE / "lifecycle").iterdir() if (path / "__init__.py").exists()
    }
    assert folders >= SHARED
    for verb in sorted(folders - SHARED):
        assert (CHECKOUT / PACKAGE / "lifecycle" / verb / f"{verb}.py").exists(), verb
    loose = [path.name for path in (CHECKOUT / PACKAGE / "lifecycle").glob("*.py")]
    assert loose == ["__init__.py"]


# what reads the text of users' scripts
OF_SCRIPTS = {
    "lint/lint.py",
    "query/query.py",
    "rollup_script/dry_run.py",
    "rollup_script/gate.py",
    "rollup_script/rollup_script.py",
    "task_adopt/proof.py",
    "task_deploy/script.py",
    "source/inventory_read.py",
}


def flux_in(path: str, tree: ast.AST) -> list[str]:
    """Where a verb makes or sends Flux text itself; advice for people may quote some."""
    found = []
    advice = {
        id(text)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword | ast.Assign)
        and "fix" in ast.unparse(node if isinstance(node, ast.keyword) else node.targets[0]).split("=")[0]
        for text in ast.walk(node.value)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in advice:
            found += [f"{path}:{node.lineno} {node.value!r}"] if "|>" in node.value else []
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}.flux"):
            text = [
                one.name
                for one in node.names
                if re.search(r"_query$|_text$|^render_|^delete_predicate$", one.name)
            ]
            found += [f"{path}:{node.lineno} {name}" for name in text]
            found += [f"{path}:{node.lineno} literals"] if "literals" in str(node.module) else []
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Query" and path not in OF_SCRIPTS:
            found.append(f"{path}:{node.lineno} Query")
    return found


def test_verb_has_no_flux_text_but_that_of_users() -> None:
    assert flux_in("a/b.py", ast.parse("ask(Query(text))")) == ["a/b.py:1 Query"]
    assert flux_in("a/b.py", ast.parse("x = f'{source}  |> count()'")) == ["a/b.py:1 '  |> count()'"]
    planted = f"from {PACKAGE}.flux.literals import string\nfrom {PACKAGE}.flux.rollup import render_rollup"
    assert len(flux_in("a/b.py", ast.parse(planted))) == 2
    assert flux_in("a/b.py", ast.parse('raise Refused(what, fix="add |> range()")')) == []
    root = CHECKOUT / PACKAGE / "lifecycle"
    for path in sorted(root.rglob("*.py")):
        assert flux_in(str(path.relative_to(root)), ast.parse(path.read_text())) == [], "ask a query of flux/"


def bare_yields(tree: ast.AST) -> list[int]:
    """Lines where a generator of steps yields a step without the type of its answer."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.returns is None:
            continue
        if ast.unparse(function.returns).startswith("Steps["):
            found += [
                node.lineno for node in ast.walk(function) if isinstance(node, ast.Yield) and node.value
            ]
    return found


def test_answer_of_a_step_has_its_type_when_a_verb_asks_for_it() -> None:
    assert bare_yields(ast.parse("def find() -> Steps[int]:\n    x = yield Query('')\n    return x")) == [2]
    for path in sorted((CHECKOUT / PACKAGE / "lifecycle").rglob("*.py")):
        assert bare_yields(ast.parse(path.read_text())) == [], (
            f"{path}: use ask() or gather() of steps/ask.py"
        )
