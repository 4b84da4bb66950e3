"""The first hour, typed as its page shows it: every command, in its order, and what comes back."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.cli.main import main
from tests.conftest import InfluxServer
from tests.scenes.doc_blocks import CHECKOUT, Block, blocks

pytestmark = pytest.mark.live

PAGE = CHECKOUT / "docs" / "tutorial.md"
#: commands whose exit code says that something is not as it should be, as the page says
DIFFERING = {"buckets", "verify"}


def steps() -> list[Block]:
    """The blocks of the page up to Airflow, in their order."""
    end = PAGE.read_text().partition("\n## In Airflow\n")[0].count("\n")
    found = [block for language in ("python", "text", "yaml", "bash") for block in blocks(language)]
    return sorted((one for one in found if one.page == PAGE and one.line < end), key=lambda one: one.line)


def shape(text: str) -> list[str]:
    """Its words, where each number and each time is the same one, up to the first line of three dots."""
    seen = re.sub(r"\d[\d.:TZ-]*", "0", text.partition("\n...\n")[0])
    return re.sub(r"\bwindows\b", "window", seen).split()


class Shell:
    """Takes what is typed, with a ledger of its own."""

    def __init__(self, ledger: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.ledger, self.capsys = ledger, capsys
        self.commands: list[str] = []
        self.last_run: list[str] = []
        self.ran_in = 0

    def enter(self, call: list[str]) -> tuple[int, str]:
        """Run a command; its exit code and what it prints."""
        five_minutes = int(time.time()) // 300
        if call[0] == "run":
            self.last_run, self.ran_in = call, five_minutes
        elif call[0] == "coverage" and five_minutes != self.ran_in:
            # a window has become due since, and would be missing
            self._main(self.last_run)
        self.commands.append(call[0])
        return self._main(call)

    def _main(self, call: list[str]) -> tuple[int, str]:
        code = main([*call, "--ledger-bucket", self.ledger])
        return code, self.capsys.readouterr().out


@pytest.fixture
def folder(influx: InfluxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the variables that the page exports."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{name}", value)
    return tmp_path


def test_first_hour_gives_what_it_shows_when_it_is_typed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # as long as the page's, as the file is written in lines of a length
    name, ledger = f"t{uuid.uuid4().hex[:7]}", f"l{uuid.uuid4().hex[:12]}"
    shell = Shell(ledger, capsys)

    def typed(text: str) -> str:
        return text.replace("telegraf", name).replace("rollup_ledger", ledger)

    for block in steps():
        text = typed(block.text)
        if block.text.startswith("$ python"):
            printed = subprocess.run(
                [sys.executable, "points.py"], capture_output=True, text=True, check=True, cwd=folder
            ).stdout
            assert shape(f"$ python points.py\n{printed}") == shape(text)
        elif block.text.startswith("$ influx-rollup "):
            call = shlex.split(text.splitlines()[0])[2:]
            code, printed = shell.enter(call)
            assert code == (1 if call[0] in DIFFERING else 0), (block, printed)
            shown = shape(text.partition("\n")[2])
            assert shape(printed)[: len(shown) if "\n...\n" in text else None] == shown, block
        elif block in blocks("yaml"):
            assert (folder / f"{name}.yaml").read_text() == text
        elif block in blocks("python"):
            (folder / "points.py").write_text(text)
        elif "--data-binary" in text:
            subprocess.run(["bash", "-euc", text], check=True, cwd=folder)
    assert shell.commands == ["init", "buckets", "run", "coverage", "run", "verify", "reconcile"]
