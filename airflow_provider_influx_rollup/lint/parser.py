"""Read a Flux script into the same syntax tree as the server's, where there is no server to ask."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_influx_rollup.lint.cursor import Cursor, Tree
from airflow_provider_influx_rollup.lint.tokens import Places, Token, tokens_of

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "=~", "!~"})
_LEVELS: Sequence[frozenset[str]] = (
    _COMPARISONS,
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
    frozenset({"^"}),
)
# statements that no script of users has
_FOREIGN = frozenset({"builtin", "testcase", "@"})
# a tree this deep is no script, and Python's stack has an end
_MAX_DEPTH = 40


def parse_flux(text: str) -> Tree:
    """Read a script.

    :return: a Flux ``Package``, as the server answers to a parse request
    :raises NotFlux: with the place
    """
    parser = _Parser(tokens_of(text), Places(text), 0)
    return {"type": "Package", "package": "main", "files": [parser.file()]}


class _Parser(Cursor):
    """Reads the grammar of Flux from left to right.

    :param depth: how deep the expression is that this is inside of
    """

    def __init__(self, tokens: Sequence[Token], places: Places, depth: int) -> None:
        super().__init__(tokens, places)
        self._depth = depth

    def file(self) -> Tree:
        """A whole script."""
        start = self.token.start
        if self.take("package"):
            self.expect("name")
        imports = []
        while self.sees("import"):
            imports.append(self._import())
        body = self._statements("end")
        return self.node("File", start, imports=imports, body=body)

    # statements

    def _import(self) -> Tree:
        start = self.expect("import").start
        alias = self._identifier() if self.sees("name") else None
        return self.node("ImportDeclaration", start, **{"as": alias, "path": self._plain_string()})

    def _statements(self, end: str) -> list[Tree]:
        found = []
        while not self.sees(end):
            found.append(self._statement())
        return found

    def _statement(self) -> Tree:
        start = self.token.start
        if self.token.kind in _FOREIGN:
            self.give_up(str(self.token.value))
        if self.take("option"):
            return self.node("OptionStatement", start, assignment=self._option())
        if self.take("return"):
            return self.node("ReturnStatement", start, argument=self._expression())
        if self.sees("name") and self.kind_at(1) == "=":
            return self._assignment()
        return self.node("ExpressionStatement", start, expression=self._expression())

    def _assignment(self) -> Tree:
        start, name = self.token.start, self._identifier()
        self.expect("=")
        return self.node("VariableAssignment", start, id=name, init=self._expression())

    def _option(self) -> Tree:
        if self.kind_at(1) != ".":
            return self._assignment()
        start, owner = self.token.start, self._identifier()
        self.expect(".")
        member = self.node("MemberExpression", start, object=owner, property=self._identifier())
        self.expect("=")
        return self.node("MemberAssignment", start, member=member, init=self._expression())

    # expressions, from what binds least

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.give_up("a script that is nested so deeply")
        yield
        self._depth -= 1

    def _expression(self) -> Tree:
        with self._deeper():
            return self._condition()

    def _condition(self) -> Tree:
        start = self.token.start
        if self.take("if"):
            test = self._expression()
            self.expect("then")
            consequent = self._expression()
            self.expect("else")
            alternate = self._expression()
            return self.node(
                "ConditionalExpression", start, test=test, consequent=consequent, alternate=alternate
            )
        return self._logical("or")

    def _logical(self, operator: str) -> Tree:
        def operand() -> Tree:
            return self._logical("and") if operator == "or" else self._negated()

        start, left = self.token.start, operand()
        while self.take(operator):
            left = self.node("LogicalExpression", start, operator=operator, left=left, right=operand())
        return left

    def _negated(self) -> Tree:
        start = self.token.start
        for operator in ("not", "exists"):
            if self.take(operator):
                with self._deeper():
                    negated = self._negated()
                return self.node("UnaryExpression", start, operator=operator, argument=negated)
        return self._binary(0)

    def _binary(self, level: int) -> Tree:
        if level == len(_LEVELS):
            return self._pipeline()
        start, left = self.token.start, self._binary(level + 1)
        while self.token.kind in _LEVELS[level]:
            operator = self.next().kind
            left = self.node(
                "BinaryExpression", start, operator=operator, left=left, right=self._binary(level + 1)
            )
        return left

    def _pipeline(self) -> Tree:
        start, left = self.token.start, self._signed()
        while self.take("|>"):
            target = self.token
            call = self._signed()
            if call["type"] != "CallExpression":
                self.refuse_at(target, "pipe destination must be a function call")
            left = self.node("PipeExpression", start, argument=left, call=call)
        return left

    def _signed(self) -> Tree:
        start = self.token.start
        for operator in ("-", "+"):
            if self.take(operator):
                with self._deeper():
                    signed = self._signed()
                return self.node("UnaryExpression", start, operator=operator, argument=signed)
        return self._postfix()

    def _postfix(self) -> Tree:
        start, found = self.token.start, self._primary()
        while True:
            if self.take("."):
                found = self.node("MemberExpression", start, object=found, property=self._identifier())
            elif self.sees("("):
                found = self._call(start, found)
            elif self.take("["):
                found = self._index(start, found)
            else:
                return found

    def _index(self, start: int, owner: Tree) -> Tree:
        key = self._expression()
        self.expect("]")
        if key["type"] == "StringLiteral":
            return self.node("MemberExpression", start, object=owner, property=key)
        return self.node("IndexExpression", start, array=owner, index=key)

    def _call(self, start: int, callee: Tree) -> Tree:
        self.expect("(")
        first = self.token.start
        properties = self._properties(")")
        record = self.node("ObjectExpression", first, properties=properties)
        self.expect(")")
        arguments = {"arguments": [record]} if properties else {}
        return self.node("CallExpression", start, callee=callee, **arguments)

    def _primary(self) -> Tree:
        kind = self.token.kind
        if kind == "(":
            return self._function() if self.begins_function() else self._parenthesis()
        reader = {"[": self._array, "{": self._record, "name": self._identifier, "string": self._string}.get(
            kind
        )
        if reader is not None:
            return reader()
        if kind in _LITERALS:
            token = self.next()
            name, value = _LITERALS[kind]
            return self.node(name, token.start, **value(token.value))
        if kind == ".":
            self.give_up("a label")
        return self.refuse("expected an expression")

    def _parenthesis(self) -> Tree:
        start = self.expect("(").start
        inner = self._expression()
        self.expect(")")
        return self.node("ParenExpression", start, expression=inner)

    def _function(self) -> Tree:
        start = self.expect("(").start
        params = []
        while not self.sees(")"):
            params.append(self._parameter())
            if not self.take(",") and self.kind_at(0) == "name":
                self.give_up("a list of parameters without a comma")
        self.expect(")")
        self.expect("=>")
        if self.sees("{"):
            begin = self.next().start
            statements = self._statements("}")
            self.expect("}")
            body = self.node("Block", begin, body=statements)
        else:
            body = self._expression()
        return self.node("FunctionExpression", start, params=params, body=body)

    def _parameter(self) -> Tree:
        start, key = self.token.start, self._identifier()
        value = None
        if self.take("="):
            pipe = self.take("<-")
            value = self.node("PipeLiteral", pipe.start) if pipe else self._expression()
        return self.node("Property", start, key=key, value=value)

    def _array(self) -> Tree:
        start = self.expect("[").start
        if self.sees(":") and self.kind_at(1) == "]":
            self.next()
            self.next()
            return self.node("DictExpression", start, elements=[])
        elements: list[Tree] = []
        kind = "ArrayExpression"
        while not self.sees("]"):
            if elements and not self.take(","):
                self.give_up("an array without a comma")
            if self.sees("]"):
                break
            if self.sees(","):
                self.give_up("an array with a comma too many")
            element = self._expression()
            if self.take(":"):
                kind = "DictExpression"
                element = {"type": "DictItem", "key": element, "val": self._expression()}
            elements.append(element)
        self.expect("]")
        return self.node(kind, start, elements=elements)

    def _record(self) -> Tree:
        start = self.expect("{").start
        extended = {}
        if self.sees("name") and self.is_word(1, "with"):
            extended = {"with": self._identifier()}
            self.next()
        properties = self._properties("}")
        self.expect("}")
        return self.node("ObjectExpression", start, **extended, properties=properties)

    def _properties(self, end: str) -> list[Tree]:
        found: list[Tree] = []
        while not self.sees(end):
            start = self.token.start
            key = self._plain_string() if self.sees("string") else self._identifier()
            value = self._expression() if self.take(":") else None
            found.append(self.node("Property", start, key=key, value=value))
            if not self.take(","):
                break
        if len({item["value"] is None for item in found}) > 1:
            self.refuse("cannot mix implicit and explicit properties")
        return found

    # what has no parts

    def _identifier(self) -> Tree:
        token = self.expect("name")
        return self.node("Identifier", token.start, name=token.value)

    def _plain_string(self) -> Tree:
        found = self._string() if self.sees("string") else self.refuse("expected a string")
        if found["type"] != "StringLiteral":
            self.refuse("expected a string without ${...}")
        return found

    def _string(self) -> Tree:
        token = self.next()
        if all(isinstance(part, str) for part in token.value):
            return self.node("StringLiteral", token.start, value="".join(token.value))
        return self.node("StringExpression", token.start, parts=[self._part(part) for part in token.value])

    def _part(self, part: str | tuple[list[Token], int, int]) -> Tree:
        if isinstance(part, str):
            return {"type": "TextPart", "value": part}
        inner = _Parser(part[0], self._places, self._depth)
        expression = inner._expression()
        inner.expect("end")
        return {"type": "InterpolatedPart", "expression": expression}


def _duration(text: str) -> Tree:
    parts = re.findall(r"(\d+)(\D+)", text)
    return {"values": [{"magnitude": int(number), "unit": unit.replace("µ", "u")} for number, unit in parts]}


def _time(text: str) -> Tree:
    return {"value": text if "T" in text else f"{text}T00:00:00Z"}


_LITERALS: dict[str, tuple[str, Any]] = {
    "int": ("IntegerLiteral", lambda text: {"value": text}),
    "float": ("FloatLiteral", lambda text: {"value": float(text)}),
    "duration": ("DurationLiteral", _duration),
    "time": ("DateTimeLiteral", _time),
    "regex": ("RegexpLiteral", lambda text: {"value": re.sub(r"\\/", "/", text[1:-1])}),
}
