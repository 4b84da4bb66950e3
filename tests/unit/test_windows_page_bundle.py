from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

from airflow_provider_influx_rollup.lifecycle.overview.page_state import PageState
from airflow_provider_influx_rollup.page.static_files import HEADERS, MIME_TYPES, etag, file_bytes

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = CHECKOUT / "dev" / "windows_page"


def test_the_bundle_is_built_from_these_sources_when_they_have_changed() -> None:
    built_from = json.loads(file_bytes("built-from.json"))
    now = {
        str(path.relative_to(SOURCES)): sha256(path.read_bytes()).hexdigest()
        for path in [*(SOURCES / "src").iterdir(), SOURCES / "package-lock.json", SOURCES / "build.mjs"]
    }
    assert built_from == now, "run make page, and commit page/static"


def test_the_shell_loads_its_own_files_alone_when_a_browser_reads_it() -> None:
    shell = file_bytes("windows.html").decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', shell)
    assert [name for name in loaded if not name.startswith("data:")] == [
        "static/windows-style.css",
        "static/windows.js",
    ]
    assert {f"static/{name}" for name in MIME_TYPES} == {"static/windows-style.css", "static/windows.js"}
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "script-src 'self';" in HEADERS["Content-Security-Policy"]
    assert "<script>" not in shell


def test_a_browser_knows_a_file_again_when_it_is_the_same() -> None:
    tags = {etag(name) for name in MIME_TYPES}
    assert len(tags) == len(MIME_TYPES)
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', tag) for tag in tags)


def test_every_state_has_a_colour_in_both_themes_when_it_is_drawn() -> None:
    theme = (SOURCES / "src" / "theme.ts").read_text()
    palettes = re.findall(r"Record<string, string> = \{(.*?)\};", theme, flags=re.DOTALL)
    assert len(palettes) == 2
    for palette in palettes:
        assert set(re.findall(r"(\w+): \"#[0-9a-f]{6}\"", palette)) == {state.value for state in PageState}
