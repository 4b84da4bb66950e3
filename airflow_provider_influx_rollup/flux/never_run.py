"""Make a script that the server checks in full and cannot run."""

from __future__ import annotations

# the server names all errors of a script before it runs any part of it; with one that is certain, it never runs
UNDEFINED = "lintStopsTheScriptHere"


def never_run(script: str) -> str:
    """The script with a last line that reads a name which is not defined.

    :param script: Flux text; its lines and columns stay as they are
    """
    return f"{script}\n{UNDEFINED}Before = {UNDEFINED}\n"
