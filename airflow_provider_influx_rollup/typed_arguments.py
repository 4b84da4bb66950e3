"""The types of parameters of operators and sensors: looked at when a DAG is parsed, and when templates are rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import wraps
from os import PathLike
from typing import Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import render_template_to_string
from airflow_provider_influx_rollup.declared_values import is_plain
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.task_failures import failing_by_permanence

Wrong = Callable[[str, Any], str | None]
"""Takes the name and the value of a parameter and says what is wrong, without the value, which may be a secret."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a parameter may be.

    :param wrong: what is wrong with a value
    :param fix: what to give instead
    :param is_template: whether a text may be a template, which becomes what it is to be in a run
    :param is_text: whether it holds texts, which no template makes numbers of
    """

    wrong: Wrong
    fix: str
    is_template: bool = True
    is_text: bool = True


def _is_of(*types: type) -> Wrong:
    def wrong(name: str, value: Any) -> str | None:
        is_right = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return None if is_right else f"{name} is of the type {type(value).__name__}"

    return wrong


_text = _is_of(str)


def _list(name: str, value: Any) -> str | None:
    is_list = isinstance(value, Sequence | Set) and not isinstance(value, str | bytes)
    return None if is_list else f"{name} is of the type {type(value).__name__}"


def _parts(value: Any) -> Sequence[Any]:
    """The parts of a list; not those of what mapped tasks return, each of which Airflow would fetch."""
    return tuple(value) if isinstance(value, list | tuple | Set) else ()


def _wrong_texts(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        return None
    found = _list(name, value)
    return found or next((wrong for one in _parts(value) if (wrong := _text(f"a part of {name}", one))), None)


def _wrong_tags(name: str, value: Any) -> str | None:
    found = _is_of(Mapping)(name, value)
    for key, values in () if found else value.items():
        found = found or _text(f"a key of {name}", key) or _wrong_texts(f"{name}[{key!r}]", values)
    return found


def _wrong_series(name: str, value: Any) -> str | None:
    found = _list(name, value)
    for one in _parts(value):
        found = found or _is_of(Mapping)(f"a part of {name}", one)
    return found


TEXT = Kind(_text, "give a text")
TEXTS = Kind(_wrong_texts, "give a text, or a list of texts")
TAGS = Kind(_wrong_tags, 'give a dict of texts or of lists of texts, such as {"site": ["a", "b"]}')
SERIES = Kind(_wrong_series, 'give a list of dicts, such as [{"site": "a"}]')
VALUES = Kind(_is_of(Mapping), 'give a dict, such as {"limit": 5}', is_text=False)
PATH = Kind(_is_of(str, PathLike), "give a path, or a URL")
VALUES_OR_JSON = Kind(_is_of(Mapping, str), 'give a dict, such as {"customer": "42"}, or its JSON')
LIST = Kind(_list, "give a list", is_text=False)
SHARE = Kind(
    _is_of(int, float), "give a number, such as 0.95; this parameter is no template", is_template=False
)

KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("fields", "group_by", "measurement", "pipelines", "require_pipelines"), TEXTS),
    **dict.fromkeys(("bucket", "source_bucket", "target_bucket", "status_bucket", "quarantine_bucket"), TEXT),
    **dict.fromkeys(("clean_bucket", "clean_measurement", "target_measurement", "ledger_bucket"), TEXT),
    **dict.fromkeys(
        ("pipeline", "upstream", "source_tier", "check_name", "timezone", "influx_conn_id"), TEXT
    ),
    **dict.fromkeys(("org", "source_org", "path_conn_id", "table", "environment", "signing_key"), TEXT),
    "path": PATH,
    "tags": TAGS,
    "retired": SERIES,
    "params_flux": VALUES,
    **dict.fromkeys(("buckets", "transformations"), LIST),
    **dict.fromkeys(("min_completeness", "min_series"), SHARE),
}
#: texts whose kind nobody looks at here
MORE_TEXTS = frozenset({"confirm", "expected_series"})
# the others may be left out
NEEDED = frozenset(
    {
        *("bucket", "measurement", "buckets", "require_pipelines", "ledger_bucket", "timezone"),
        *("min_completeness", "min_series"),
    }
)


def _failing_when_mapped(make: Callable[..., None]) -> Callable[..., None]:
    @wraps(make)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        # set by Airflow before, on both versions; a DAG file that is wrong keeps the error's class
        is_of_run = getattr(self, "_BaseOperator__from_mapped", False)
        with failing_by_permanence() if is_of_run else nullcontext():
            make(self, *args, **kwargs)

    return made


class TypedArguments:
    """Base of the tasks whose parameters have types: each is looked at when it is set, by a DAG file or by its template.

    :raises ConfigurationError: naming the parameter and its type
    :raises AirflowFailException: the same of a task that is mapped, in its run
    """

    #: parameters of a class that are of other kinds than in the other classes
    own_kinds: ClassVar[Mapping[str, Kind]] = {}
    #: parameters that a class can do without
    may_lack: ClassVar[frozenset[str]] = frozenset()
    _renders_texts = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a mapped task that is made in a run of what another task has given fail for good, when it cannot be made."""
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            setattr(cls, "__init__", _failing_when_mapped(vars(cls)["__init__"]))  # noqa: B010 - mypy allows no other

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a parameter, if it is of its kind."""
        kind = self.own_kinds.get(name) or KINDS.get(name)
        if kind is not None and (is_plain(value) or (isinstance(value, str) and not kind.is_template)):
            self._require_kind(kind, name, value)
        super().__setattr__(name, value)

    def _require_kind(self, kind: Kind, name: str, value: Any) -> None:
        if value is None and (name not in NEEDED or name in self.may_lack):
            return
        if found := kind.wrong(name, value):
            what = f"{found}, in {type(self).__name__} {self.__dict__.get('task_id')!r}"
            raise ConfigurationError(what, written="nothing", fix=kind.fix)

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> None:
        """Airflow's own; what a template has made of the wrong type fails for good.

        :raises AirflowFailException: naming the parameter and its type
        """
        render = super()._do_render_template_fields  # type: ignore[misc]
        names = list(template_fields)
        texts = [name for name in names if parent is self and self._is_text(name)]
        with failing_by_permanence():
            render(parent, [name for name in names if name not in texts], *args, **kwargs)
            self._renders_texts = True
            try:
                render(parent, texts, *args, **kwargs)
            finally:
                self._renders_texts = False

    def _is_text(self, name: str) -> bool:
        kind = self.own_kinds.get(name) or KINDS.get(name)
        if kind is not None:
            return kind.is_text
        # a dict of series is a script with its values
        return name in MORE_TEXTS and not isinstance(getattr(self, name, None), Mapping)

    def _render(self, template: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Airflow's own. A DAG of native objects would make a number of the text 12, which equals no tag: here it stays a text."""
        made = super()._render(template, context, *args, **kwargs)  # type: ignore[misc]
        if self._renders_texts and isinstance(made, int | float | complex):
            # raised where the template gives the number itself
            with suppress(TypeError):
                return render_template_to_string(template, context)
            return str(made)
        return made
