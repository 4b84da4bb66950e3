"""Walk the syntax tree of a Flux script: pipelines, calls and their arguments, through variables and functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Node = Mapping[str, Any]

MAX_DEPTH = 50
# functions that call each other twice double what there is to follow with each of them
_MAX_STEPS = 2_000
# literals that one text is made of; each is a call of a function inside of the one before
_MOST_TEXTS = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """The names in scope at a place in a script.

    :param variables: name -> the expression it was assigned
    :param imports: the name of a package in the script -> its path
    """

    variables: Mapping[str, Node]
    imports: Mapping[str, str]

    def with_arguments(self, arguments: Mapping[str, Node]) -> Scope:
        """Return the scope inside of a function that is called with these arguments."""
        return Scope({**self.variables, **arguments}, self.imports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One call of a pipeline.

    :param function: ``"range"`` for a built-in, ``"influxdata/influxdb.wideTo"`` for one of a package
    :param arguments: name -> expression
    :param scope: what the names in the arguments mean
    :param line: line number in the script, from 1; 0 when unknown
    :param call: the call itself
    :param caller: the call that stands in the pipeline: another one when a function of the script makes this call
    """

    function: str
    arguments: Mapping[str, Node]
    scope: Scope = field(repr=False)
    line: int
    call: Node = field(repr=False)
    caller: Node = field(repr=False)

    @property
    def short_name(self) -> str:
        """The function as people write it, without its package."""
        return self.function.rpartition(".")[2]


def script_body(package: Node) -> list[Node]:
    """Return the statements of all files of a package."""
    return [statement for file in package.get("files", []) for statement in file.get("body") or []]


def script_scope(package: Node) -> Scope:
    """Return the variables and imports at the top of a script."""
    imports: dict[str, str] = {}
    for file in package.get("files", []):
        for declaration in file.get("imports") or []:
            path = declaration["path"]["value"]
            alias = declaration.get("as")
            imports[alias["name"] if alias else path.rpartition("/")[2]] = path
    variables = {
        statement["id"]["name"]: statement["init"]
        for statement in script_body(package)
        if statement["type"] == "VariableAssignment"
    }
    return Scope(variables, imports)


def walk(node: object) -> Iterator[Node]:
    """Yield every node at and below a node."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping) and "type" in one:
            yield one
        waiting += reversed(list(children(one)))


def identifiers_used(node: object) -> Iterator[str]:
    """Yield the names an expression reads, without the keys of records and the members of packages."""
    if isinstance(node, list):
        for child in node:
            yield from identifiers_used(child)
    elif isinstance(node, Mapping):
        if node.get("type") == "Identifier":
            yield node["name"]
            return
        skipped = {"Property": ("key",), "MemberExpression": ("property",), "FunctionExpression": ("params",)}
        hidden = ("location", "comments", "id", *skipped.get(node.get("type", ""), ()))
        for key, child in node.items():
            if key not in hidden:
                yield from identifiers_used(child)
        # {bucket} is short for {bucket: bucket}
        if node.get("type") == "Property" and node.get("value") is None:
            yield key_of(node)


def pipelines(node: object) -> Iterator[Node]:
    """Yield the calls and pipelines of a tree that are not the beginning of a longer one.

    Bodies of functions are left out: ``stages`` shows them where they are called, with their arguments.
    """
    if isinstance(node, Mapping):
        if node.get("type") == "FunctionExpression":
            return
        if node.get("type") in ("PipeExpression", "CallExpression"):
            yield node
        inner = node
        while inner.get("type") == "PipeExpression":
            yield from pipelines(inner["call"].get("arguments"))
            inner = inner["argument"]
        node = inner
    for child in children(node):
        yield from pipelines(child)


def children(node: object) -> Iterator[object]:
    """Yield what is directly below a node or a list of nodes."""
    if isinstance(node, Mapping):
        yield from (child for key, child in node.items() if key not in ("location", "comments"))
    elif isinstance(node, list):
        yield from node


def stages(node: Node, scope: Scope) -> list[Stage]:
    """Return the calls of a pipeline in order, with variables and the script's own functions replaced by what they do.

    What names itself is left out: the server will say that it does not compile.
    """
    return _stages(node, scope, _Followed(iter(range(_MAX_STEPS))))


@dataclass(frozen=True, slots=True)
class _Followed:
    """The way to a place in a script.

    :param left: the steps that are left, shared by all ways
    :param names: identities of the variables and functions that this is inside of
    """

    left: Iterator[int]
    names: frozenset[int] = frozenset()

    def into(self, node: Node) -> _Followed | None:
        """The way into a variable or a function; None where it goes round, or too far."""
        if id(node) in self.names or len(self.names) > MAX_DEPTH or next(self.left, None) is None:
            return None
        return replace(self, names=self.names | {id(node)})


def _stages(node: Node, scope: Scope, followed: _Followed) -> list[Stage]:
    calls: list[Node] = []
    node = unwrapped(node)
    while node["type"] == "PipeExpression":
        calls.append(node["call"])
        node = unwrapped(node["argument"])
    found: list[Stage] = []
    if node["type"] == "Identifier" and (value := scope.variables.get(node["name"])) is not None:
        inside = followed.into(value)
        found = [] if inside is None else _stages(value, scope, inside)
    elif node["type"] == "CallExpression":
        calls.append(node)
    return found + [stage for call in reversed(calls) for stage in _call_stages(call, scope, followed)]


def stage_of(call: Node, scope: Scope) -> Stage:
    """Return a call as a stage."""
    line = call.get("location", {}).get("start", {}).get("line", 0)
    return Stage(
        function=function_path(call["callee"], scope),
        arguments=arguments_of(call),
        scope=scope,
        line=line,
        call=call,
        caller=call,
    )


def arguments_of(call: Node) -> dict[str, Node]:
    """Return the named arguments of a call."""
    records = call.get("arguments") or []
    properties = records[0].get("properties", []) if records else []
    return {
        key_of(item): item.get("value") or {"type": "Identifier", "name": key_of(item)} for item in properties
    }


def key_of(item: Node) -> str:
    """Return the key of a property, which is an identifier or a string."""
    return str(item["key"].get("name", item["key"].get("value")))


def function_path(callee: Node, scope: Scope, depth: int = 0) -> str:
    """Return ``"name"`` or ``"path/of/package.name"`` of what is called, through aliases; ``""`` when it is computed."""
    callee = unwrapped(callee)
    if callee["type"] == "MemberExpression" and callee["object"]["type"] == "Identifier":
        package = callee["object"]["name"]
        member = callee["property"].get("name", callee["property"].get("value"))
        return f"{scope.imports.get(package, package)}.{member}"
    if callee["type"] != "Identifier":
        return ""
    target = scope.variables.get(callee["name"])
    if target is not None and target["type"] in ("Identifier", "MemberExpression") and depth < MAX_DEPTH:
        return function_path(target, scope, depth + 1)
    return str(callee["name"])


def resolved(node: Node | None, scope: Scope) -> Node | None:
    """Return what an expression is after following variables and members of records, else the expression itself."""
    return _resolved(node, scope, set(), 0)


def _resolved(node: Node | None, scope: Scope, seen: set[int], depth: int) -> Node | None:
    """``resolved``, which goes round where it comes to an expression that it has seen: that cannot compile."""
    if node is None:
        return None
    node = unwrapped(node)
    if id(node) in seen or depth > MAX_DEPTH:
        return node
    target: Node | None = None
    if node["type"] == "Identifier":
        seen.add(id(node))
        target = scope.variables.get(node["name"])
    elif node["type"] == "MemberExpression":
        seen.add(id(node))
        target = _member(_resolved(node["object"], scope, seen, depth + 1), node["property"])
    return node if target is None else _resolved(target, scope, seen, depth + 1)


def _member(record: Node | None, key: Node) -> Node | None:
    """Return the value of a record's property, None when it is not known."""
    if record is None or record["type"] != "ObjectExpression":
        return None
    name = key.get("name", key.get("value"))
    return next((item.get("value") for item in record.get("properties") or [] if key_of(item) == name), None)


def string_list(node: Node | None, scope: Scope) -> list[str] | None:
    """Return the texts of an array of string literals, None for anything else."""
    array = resolved(node, scope)
    if array is None or array["type"] != "ArrayExpression":
        return None
    elements = [resolved(element, scope) for element in array.get("elements") or []]
    if any(element is None or element["type"] != "StringLiteral" for element in elements):
        return None
    return [str(element["value"]) for element in elements if element is not None]


def string_value(node: Node | None, scope: Scope) -> str | None:
    """Return the text of a string literal, or of several that are put together; None for anything else."""
    return _text(node, scope, iter(range(_MOST_TEXTS)))


def _text(node: Node | None, scope: Scope, left: Iterator[int]) -> str | None:
    """``string_value``, which gives up where what names itself would go on and on.

    :param left: the parts that may be looked at
    """
    found = resolved(node, scope)
    if found is None or next(left, None) is None:
        return None
    if found["type"] in ("StringLiteral", "TextPart"):
        return str(found["value"])
    if found["type"] == "InterpolatedPart":
        return _text(found["expression"], scope, left)
    if found["type"] == "StringExpression":
        parts = [_text(part, scope, left) for part in found.get("parts") or []]
    elif found["type"] == "BinaryExpression" and found["operator"] == "+":
        parts = [_text(found[side], scope, left) for side in ("left", "right")]
    else:
        return None
    return None if None in parts else "".join(map(str, parts))


def unwrapped(node: Node) -> Node:
    """Return an expression without the parentheses around it."""
    while node["type"] == "ParenExpression":
        node = node["expression"]
    return node


def returned(function: Node) -> Node | None:
    """Return the expression a function returns; None when there is none."""
    body: Node = function["body"]
    if body["type"] != "Block":
        return body
    last = body["body"][-1] if body.get("body") else None
    return last["argument"] if last is not None and last["type"] == "ReturnStatement" else None


def _call_stages(call: Node, scope: Scope, followed: _Followed) -> list[Stage]:
    """Return the stages of one call: those inside of it when the script defines the function itself."""
    callee = unwrapped(call["callee"])
    function = scope.variables.get(callee["name"]) if callee["type"] == "Identifier" else None
    if function is None or function["type"] != "FunctionExpression":
        return [stage_of(call, scope)]
    body = returned(function)
    defaults = {key_of(item): item["value"] for item in function.get("params") or [] if item.get("value")}
    piped = [name for name, value in defaults.items() if value["type"] == "PipeLiteral"]
    inside = scope.with_arguments(
        defaults | {name: _named(one, scope) for name, one in arguments_of(call).items()}
    )
    if function["body"]["type"] == "Block":
        inside = inside.with_arguments(block_variables(function["body"]))
    # the piped-in parameter must not be looked up outside: its stages are already there
    inside = Scope({k: v for k, v in inside.variables.items() if k not in piped}, inside.imports)
    way = followed.into(function)
    found = [] if body is None or way is None else _stages(body, inside, way)
    return [replace(stage, caller=call) for stage in found]


def _named(argument: Node, scope: Scope) -> Node:
    """What a name that is passed on stands for: inside of the function it may be another one's."""
    return scope.variables.get(argument["name"], argument) if argument["type"] == "Identifier" else argument


def block_variables(block: Node) -> dict[str, Node]:
    """Return the variables a function body assigns."""
    return {
        statement["id"]["name"]: statement["init"]
        for statement in block["body"]
        if statement["type"] == "VariableAssignment"
    }
