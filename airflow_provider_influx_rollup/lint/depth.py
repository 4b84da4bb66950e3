"""How deep the syntax tree of a script is, from its text alone: what it costs a server to answer a parse request."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from airflow_provider_influx_rollup.exceptions import ScriptInvalid
from airflow_provider_influx_rollup.lint.tokens import ENDS_VALUE, NotFlux, Token, tokens_from

#: the answer repeats the text of a node in each of those around it, so that the server's time and memory grow with the square
#: of the depth or faster: for a chain of comparisons 100 MB and a few seconds at 300, 1.3 GB at 500, all of a small server at 1000
MAX_DEPTH = 300

TOO_DEEP = "expressions are nested too deeply, or have too many terms"
FLATTER = "give parts of them names of their own, or match many values by one regular expression"

# operators by how little they bind
_LEVELS = (
    frozenset({"=>", "if"}),
    frozenset({"or"}),
    frozenset({"and"}),
    frozenset({"not", "exists"}),
    frozenset({"==", "!=", "<", "<=", ">", ">=", "=~", "!~"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
    frozenset({"^"}),
    frozenset({"|>"}),
    frozenset({"sign"}),
    frozenset({".", "(", "["}),
)
_LEVEL = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
# of these, what stands before a value
_PREFIX = {
    **{name: _LEVEL[name] for name in ("=>", "if", "not", "exists")},
    "-": _LEVEL["sign"],
    "+": _LEVEL["sign"],
}
_ENDS_EXPRESSION = frozenset({",", ":", "="})
_BEGINS_STATEMENT = frozenset({"import", "option", "return", "builtin", "testcase", "package"})
_BEGINS_VALUE = frozenset({"name", "string", "int", "float", "duration", "time", "regex", "{", "if", "not"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


def refuse_too_deep(text: str) -> None:
    """Refuse a script that no server is asked to parse.

    :raises ScriptInvalid: before anything is asked
    """
    if is_too_deep(text):
        what = f"the script's {TOO_DEEP}"
        raise ScriptInvalid(what, written="nothing by this request", fix=FLATTER)


def is_too_deep(text: str) -> bool:
    """Whether a parse of the script would take more of a server than any script needs.

    :param text: the script; of what is no Flux, as far as it can be read
    """
    try:
        return tree_depth(text) > MAX_DEPTH
    except RecursionError:
        return True


def tree_depth(text: str) -> int:
    """How many nodes of the syntax tree stand inside of each other, about: a bracket and an operator count as one each."""
    found = _Reader()
    # where this ends, the server ends too, or goes on in a tree with holes
    with suppress(NotFlux):
        found.read(tokens_from(text))
    return found.depth()


class _Expression:
    """An expression as far as it is read: a chain of operators for each level of binding.

    :ivar counts: operators of each level
    :ivar inside: how deep the operands of each level are
    """

    def __init__(self) -> None:
        self.counts, self.inside = [0] * len(_LEVELS), [0] * len(_LEVELS)

    def depth(self, loosest: int = 0) -> int:
        """How deep it is, as far as its operators bind at least as much as these."""
        depth = 0
        for level in range(len(_LEVELS) - 1, loosest - 1, -1):
            depth = max(depth, self.inside[level]) + self.counts[level]
        return depth

    def end_operand(self, level: int) -> None:
        """The end of what operators of a level have on their left."""
        self.inside[level] = max(self.inside[level], self.depth(level + 1))
        for tighter in range(level + 1, len(_LEVELS)):
            self.counts[tighter] = self.inside[tighter] = 0


class _Bracket:
    """What is between two brackets, or the whole script: expressions beside each other."""

    def __init__(self) -> None:
        self.expression, self._before = _Expression(), 0

    def depth(self) -> int:
        """Of the deepest expression."""
        return max(self._before, self.expression.depth())

    def end_expression(self) -> None:
        """The end of an expression."""
        self._before, self.expression = self.depth(), _Expression()


class _Reader:
    """Reads tokens from left to right, without recursion."""

    def __init__(self) -> None:
        self._open = [_Bracket()]
        self._last = ""

    def depth(self) -> int:
        """Of the tree of what was read."""
        while len(self._open) > 1:
            self._close()
        return self._open[0].depth()

    def read(self, tokens: Iterable[Token]) -> None:
        """Read on."""
        for token in tokens:
            self._read(token.kind)
            if token.kind == "string":
                self._read_parts(token.value)
            self._last = token.kind

    def _read(self, kind: str) -> None:
        expression, is_after_value = self._open[-1].expression, self._last in ENDS_VALUE
        if (
            kind in _ENDS_EXPRESSION
            or kind in _BEGINS_STATEMENT
            or (is_after_value and kind in _BEGINS_VALUE)
        ):
            self._open[-1].end_expression()
        if kind in ("then", "else"):
            expression.end_operand(0)
        elif is_after_value and kind in _LEVEL and kind not in ("=>", "if", "not", "exists"):
            expression.end_operand(_LEVEL[kind])
            expression.counts[_LEVEL[kind]] += 1
        elif kind in _PREFIX:
            self._open[-1].expression.counts[_PREFIX[kind]] += 1
        if kind in _OPENING:
            self._open.append(_Bracket())
        elif kind in _CLOSING:
            self._close()

    def _close(self) -> None:
        if len(self._open) > 1:
            inner = self._open.pop().depth() + 1
            inside = self._open[-1].expression.inside
            inside[-1] = max(inside[-1], inner)

    def _read_parts(self, parts: Iterable[str | tuple[list[Token], int, int]]) -> None:
        """Read what is inside of ``${...}`` of a string."""
        for part in parts:
            if not isinstance(part, str):
                self._open.append(_Bracket())
                self._last = ""
                self.read(part[0])
                self._close()
