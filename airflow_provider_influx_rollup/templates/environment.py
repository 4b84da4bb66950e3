"""Jinja as Airflow has set it up for a DAG, with the rule that no value is pasted into Flux."""

from __future__ import annotations

import posixpath
import secrets
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, StrictUndefined, Undefined, nodes, pass_context
from jinja2.runtime import BlockReference, Context, Macro
from jinja2.sandbox import SandboxedEnvironment, is_internal_attribute

from airflow_provider_influx_rollup.exceptions import TemplateInvalid
from airflow_provider_influx_rollup.flux.places import Kind, Placed, fill, mark
from airflow_provider_influx_rollup.templates.filters import FILTERS, FluxLiteral, FluxName, FluxText
from airflow_provider_influx_rollup.templates.outputs import PLACE, PLACE_TEXT, mark_outputs

_SYNTAX = [
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "line_statement_prefix",
    "line_comment_prefix",
    "trim_blocks",
    "lstrip_blocks",
    "newline_sequence",
    "keep_trailing_newline",
]


class FluxEnvironment(SandboxedEnvironment):
    """Renders one script: values leave marks, which are filled in when the whole script is there.

    :param base: the DAG's own environment, whose loader, syntax, filters, tests and macros are taken
    :param takes_words: whether an output without a filter may put a single word
    """

    def __init__(self, base: Environment, *, takes_words: bool = False) -> None:
        options: dict[str, Any] = {name: getattr(base, name) for name in _SYNTAX}
        is_strict = issubclass(base.undefined, StrictUndefined) or base.undefined is Undefined
        super().__init__(
            loader=base.loader,
            extensions=[type(extension) for extension in base.extensions.values()],
            undefined=StrictUndefined if is_strict else base.undefined,
            cache_size=0,
            **options,
        )
        self.globals.update(base.globals)
        self.tests.update(base.tests)
        self.policies.update(base.policies)
        self.filters.update(base.filters)
        self.filters.update(FILTERS)
        self.filters[PLACE] = _place
        self.filters[PLACE_TEXT] = _place_text
        self.takes_words = takes_words
        self.names: dict[str, str] = {}
        self._placed: list[Placed] = []
        self._nonce = secrets.token_hex(8)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002 - Jinja's signature
        """As Airflow: names with one underscore may be read."""
        return not is_internal_attribute(obj, attr)

    def join_path(self, template: str, parent: str) -> str:
        """``./`` and ``../`` begin at the template that includes another one."""
        if not template.startswith(("./", "../")):
            return template
        return posixpath.normpath(posixpath.join(posixpath.dirname(parent), template))

    def place(self, value: Placed) -> str:
        """Keep a value, and return its mark.

        :raises TemplateInvalid: when it holds a mark itself, as the text of a block does
        """
        if self._nonce in value.text:
            problem = "is text of the template, which a block has made"
            raise value.refused(problem, "use a macro, or | flux_raw on the block")
        self._placed.append(value)
        return mark(self._nonce, len(self._placed) - 1)

    def filled(self, text: str) -> str:
        """The script with the values in the places of their marks.

        :raises TemplateInvalid: when one would change the script
        """
        return fill(text, self._placed, self._nonce)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        shown = name or "the template"
        if filename:
            self.names[filename] = shown
        mark_outputs(source, shown, takes_words=self.takes_words)
        return super()._generate(source, name, filename, defer_init)


@pass_context
def _place(context: Context, value: object, shown: str, name: str, line: int) -> str:
    """The mark of a value, or the text itself of what is trusted."""
    environment = _environment_of(context)
    if isinstance(value, FluxText):
        return str(value)
    kind: Kind = "word"
    if isinstance(value, FluxLiteral | FluxName):
        kind = "literal" if isinstance(value, FluxLiteral) else "name"
    return environment.place(Placed(text=str(value), kind=kind, shown=shown, place=(name, line)))


@pass_context
def _place_text(
    context: Context, value: object, callee: Callable[..., Any], shown: str, name: str, line: int
) -> str:
    """Output of a macro or a block; its values have left their marks already."""
    if isinstance(callee, Macro | BlockReference):
        return str(value)
    environment = _environment_of(context)
    word = Placed(text=str(value), kind="word", shown=shown, place=(name, line))
    if environment.takes_words:
        return environment.place(word)
    problem = "is not from a macro of the template"
    raise word.refused(problem, "write {{ x | flux }}")


def _environment_of(context: Context) -> FluxEnvironment:
    environment = context.environment
    if not isinstance(environment, FluxEnvironment):
        what = "a Flux filter was used outside of a Flux template"
        raise TemplateInvalid(what, written="nothing", fix="use it in flux= or in a .flux file")
    return environment
