"""YAML that somebody wrote: plain values of bounded size, or the line that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

MAX_NODES = 100_000
# no float is larger
MAX_BITS = 1024
# the parser calls itself for each level, and its time grows with the square of them
MAX_DEPTH = 50


class YamlInvalid(Exception):
    """A text that is not YAML, or not of plain values.

    :param line: which line, from 1
    :param problem: what is wrong with it
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Knows the line of a value that its own parsers refuse, such as a date in month 13, and how deep it is."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            line = self.peek_event().start_mark.line + 1
            raise YamlInvalid(line, f"it is nested deeper than {MAX_DEPTH} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, OverflowError, AttributeError) as error:
            raise YamlInvalid(line_of(node), f"{_excerpt(node)} is not a value: {error}") from error
        except LookupError as error:
            # its parser of !!bool and of numbers expects what the pattern without a tag has matched
            raise YamlInvalid(line_of(node), f"{_excerpt(node)} is not a value of its tag") from error
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise YamlInvalid(line_of(node), f"{_excerpt(node)} is too large for a number")
        return _whole_text(value, node) if isinstance(value, str) else value


def _whole_text(text: str, node: yaml.Node) -> str:
    """JSON spells a character beyond 16 bits as two halves."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise YamlInvalid(line_of(node), f"{_excerpt(node)} holds half of a character") from error


def compose(text: str) -> yaml.Node | None:
    """Read a text as nodes, which know their lines; None when there is nothing in it.

    :raises YamlInvalid: when it is not YAML, refers to itself, or its aliases make it too large
    """
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlInvalid(mark.line + 1 if mark else 1, str(error.problem or error.context)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"the character U+{_code_point(error.character):04X} is not allowed"
        raise YamlInvalid(line, problem) from error
    if root is not None:
        _require_bounded(root)
    return root


def construct(node: yaml.Node) -> Any:
    """The plain values of a node.

    :raises YamlInvalid: when a value is none
    """
    try:
        return _Loader("").construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YamlInvalid(mark.line + 1 if mark else line_of(node), str(error.problem)) from error


def line_of(node: yaml.Node) -> int:
    """The line a node begins in, from 1."""
    return int(node.start_mark.line) + 1


def _require_bounded(root: yaml.Node) -> None:
    """An alias costs a few characters and stands for all that it names, again and again."""
    sizes: dict[int, int] = {}
    opened: set[int] = set()
    waiting: list[tuple[yaml.Node, bool]] = [(root, False)]
    while waiting:
        node, is_closed = waiting.pop()
        if is_closed:
            opened.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in _children(node))
            if sizes[id(node)] > MAX_NODES:
                raise YamlInvalid(line_of(node), f"with its aliases it holds more than {MAX_NODES:,} values")
        elif id(node) in opened:
            raise YamlInvalid(line_of(node), "it refers to itself")
        elif id(node) not in sizes:
            opened.add(id(node))
            waiting.append((node, True))
            waiting.extend((child, False) for child in _children(node))


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    for part in node.value if isinstance(node, yaml.CollectionNode) else ():
        yield from part if isinstance(part, tuple) else (part,)


def _excerpt(node: yaml.Node) -> str:
    text = node.value if isinstance(node, yaml.ScalarNode) else node.tag
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


def _code_point(character: str | bytes | int) -> int:
    return character if isinstance(character, int) else ord(character)
