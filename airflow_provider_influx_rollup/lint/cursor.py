"""Position of a reader of tokens: the next token, the one that must come next, and the nodes it makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from airflow_provider_influx_rollup.lint.tokens import NotFlux, Place, Places, Token

Tree = dict[str, Any]

_READABLE = {"name": "a name", "end": "the end of the script"}


class Cursor:
    """Goes through tokens from left to right.

    :param tokens: the last one has the kind ``end``
    """

    def __init__(self, tokens: Sequence[Token], places: Places) -> None:
        self._tokens, self._places = tokens, places
        self._at = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._at]

    def kind_at(self, ahead: int) -> str:
        """The kind of a token further on."""
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)].kind

    def is_word(self, ahead: int, word: str) -> bool:
        """Whether a token further on is a word that is no keyword elsewhere."""
        return self.kind_at(ahead) == "name" and bool(self._tokens[self._at + ahead].value == word)

    def begins_function(self) -> bool:
        """Whether the parenthesis that comes next ends before an arrow, or holds a piped parameter, as only functions have."""
        if self.kind_at(1) == "name" and self.kind_at(2) == "=" and self.kind_at(3) == "<-":
            return True
        depth, at = 0, self._at
        while self._tokens[at].kind != "end":
            depth += {"(": 1, ")": -1}.get(self._tokens[at].kind, 0)
            at += 1
            if depth == 0:
                return self._tokens[at].kind == "=>"
        return False

    def sees(self, kind: str) -> bool:
        """Whether this comes next.

        :raises NotFlux: when it closes a bracket and the script has ended
        """
        if self.token.kind == "end" and kind != "end":
            self._refuse_if_open(kind)
        return self.token.kind == kind

    def _refuse_if_open(self, kind: str) -> None:
        if kind in ("}", "]", ")"):
            self.refuse(f"expected {kind}")

    def next(self) -> Token:
        """Go on by one token, and return it."""
        token = self.token
        self._at += 1
        return token

    def take(self, kind: str) -> Token | None:
        """Go on when this comes next."""
        return self.next() if self.token.kind == kind else None

    def expect(self, kind: str) -> Token:
        """Go on by what must come next.

        :raises NotFlux: when something else does
        """
        if self.token.kind != kind:
            self.refuse(f"expected {_READABLE.get(kind, kind)}")
        return self.next()

    def refuse(self, what: str) -> NoReturn:
        """End at something that the server refuses too.

        :raises NotFlux: with the place
        """
        self.refuse_at(self.token, what)

    def refuse_at(self, token: Token, what: str) -> NoReturn:
        """End at a token that has been read.

        :raises NotFlux: with its place
        """
        found = "the end of the script" if token.kind == "end" else _shown(token)
        what = f"{what}, found {found}"
        raise NotFlux(what, self._places.at(self._open_bracket() if token.kind == "end" else token.start))

    def give_up(self, what: str) -> NoReturn:
        """End at something that the server may take.

        :raises NotFlux: with the place
        """
        what = f"{what} is not read here"
        raise NotFlux(what, self._places.at(self.token.start), is_sure=False)

    def _open_bracket(self) -> int:
        """Offset of the last bracket that nothing closes; the last token when there is none."""
        opened: list[int] = []
        for token in self._tokens:
            if token.kind in ("(", "[", "{"):
                opened.append(token.start)
            elif token.kind in (")", "]", "}") and opened:
                opened.pop()
        return opened[-1] if opened else self._tokens[max(self._at - 1, 0)].start

    def node(self, kind: str, start: int, **values: Any) -> Tree:
        """A node of the tree, from an offset to the last token."""
        end = self._tokens[self._at - 1].end if self._at else start
        location: dict[str, Place] = {
            "start": self._places.at(start),
            "end": self._places.at(max(end, start)),
        }
        return {"type": kind, "location": location, **values}


def _shown(token: Token) -> str:
    return "a string" if token.kind == "string" else str(token.value)
