"""The pages for people, and the code blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    :param line: line number of its first line in the page
    """

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        """Where it is."""
        return f"{self.page.relative_to(CHECKOUT)}:{self.line}"


@cache
def blocks(language: str) -> tuple[Block, ...]:
    """All blocks of a language, with the page's own line numbers."""
    return tuple(
        Block(page, text[: fence.start(2)].count("\n") + 1, fence[2])
        for page in PAGES
        for text in [page.read_text()]
        for fence in FENCE.finditer(text)
        if fence[1] == language
    )
