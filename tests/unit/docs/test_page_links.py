"""Links of the pages: files and headings are there, addresses have the form of one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.scenes.doc_blocks import CHECKOUT, PAGES

LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
PICTURES = CHECKOUT / "docs" / "pictures"
#: which script makes pictures whose names begin so
MADE_BY = {
    "coverage": "dev/doc_pictures.py",
    "windows-page-": "dev/windows_page/browser.mjs",
    "sizes": "dev/bench/sizes.py",
}
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """Targets of all links and pictures of a page, but those in code."""
    return LINK.findall(re.sub(r"`[^`\n]+`", "``", FENCED.sub("", page.read_text())))


@cache
def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as the site gives them."""
    found: list[str] = []
    for title in re.findall(r"^#{1,6} (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE):
        words = re.sub(r"[^\w\s-]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)).strip().lower()
        name = re.sub(r"[-\s]+", "-", words)
        again = sum(re.fullmatch(rf"{re.escape(name)}(_\d+)?", one) is not None for one in found)
        found.append(f"{name}_{again}" if again else name)
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_targets_exist_when_a_page_links_to_them(page: Path) -> None:
    wrong = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_addresses_have_a_host_when_a_page_links_elsewhere(page: Path) -> None:
    parts = [urlsplit(link) for link in links(page) if "://" in link]
    assert [one.geturl() for one in parts if one.scheme != "https" or "." not in (one.hostname or "")] == []


def test_links_are_found_when_the_pages_have_some() -> None:
    assert sum(len(links(page)) for page in PAGES) > 200


def test_every_picture_is_shown_when_it_is_there() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    assert [one.name for one in PICTURES.iterdir() if one not in shown] == []


@pytest.mark.parametrize("name", sorted(one.name for one in PICTURES.iterdir()))
def test_a_script_makes_a_picture_when_a_page_shows_it(name: str) -> None:
    ((start, script),) = [one for one in MADE_BY.items() if name.startswith(one[0])]
    assert start in (CHECKOUT / script).read_text()
