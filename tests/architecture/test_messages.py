"""What errors of archives say: what happened, to which window, what was written, what to do next."""

from __future__ import annotations

import ast
from pathlib import Path

import airflow_provider_influx_rollup

PACKAGE = Path(airflow_provider_influx_rollup.__file__).parent
ERRORS = ("ArchiveMismatch", "ArchiveMissing")
# of a measurement's chain or index, which are of no window; their messages name the file
OF_NO_WINDOW = {
    "lifecycle/archive_files/certificates.py",
    "archive/certificate.py",
    "lifecycle/archive_files/index.py",
}
OF_NO_WINDOW_IN = {("stores/check_certificates.py", "read_one")}


def silent_errors() -> list[str]:
    """Places where an error is made without saying all."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            has_no_window = name in OF_NO_WINDOW or (name, function.name) in OF_NO_WINDOW_IN
            wanted = {"written", "fix"} | (set() if has_no_window else {"window"})
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS:
                    lacking = wanted - {one.arg for one in call.keywords}
                    if lacking:
                        found.append(f"{name}:{call.lineno} {function.name}: {sorted(lacking)}")
    return found


def test_errors_of_archives_say_all_of_it() -> None:
    assert silent_errors() == []
