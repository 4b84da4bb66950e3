"""Templates become Flux whose values are literals, or are refused with their file and line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, Environment, FileSystemLoader
from jinja2.nativetypes import NativeEnvironment
from jinja2.sandbox import SandboxedEnvironment

from airflow_provider_influx_rollup.exceptions import TemplateInvalid
from airflow_provider_influx_rollup.templates.render import FluxSource, check, render, template_hash

EVIL = 'b" |> to(bucket: "x") //${1}\n'
SAFE = r'"b\" |> to(bucket: \"x\") //\x24{1}\n"'
CONTEXT: dict[str, Any] = {
    "evil": EVIL,
    "five": 5,
    "minus": -5,
    "half": -0.5,
    "yes": True,
    "when": datetime(2025, 1, 1, 2, tzinfo=UTC),
    "span": timedelta(hours=1, minutes=30),
    "back": timedelta(hours=-3),
    "names": ["a", 'b"'],
    "pairs": {"site": "b", "n": 1},
    "day": date(2025, 1, 1),
    "nothing": None,
    "mixed": [1, "a"],
    "function": lambda: EVIL,
}
PARTS = {
    "conditions.flux": "{% macro any_of(column, values) -%}{% for value in values %}r[{{ column | flux }}] == "
    "{{ value | flux }}{% if not loop.last %} or {% endif %}{% endfor %}{%- endmacro %}",
    "site.flux": "|> filter(fn: (r) => r.site == {{ evil | flux }})",
    "bare.flux": "x\n{{ evil }}",
    "a.flux": '{% include "./sub/b.flux" %}',
    "sub/b.flux": 'x\n{% include "../a.flux" %}',
    "self.flux": "{% include name %}",
    "base.flux": "{% block body %}a{% endblock %} + {{ five | flux }}",
}


def base(loader: Any = None, kind: type[Environment] = SandboxedEnvironment) -> Environment:
    return kind(loader=loader or DictLoader(PARTS), cache_size=0, extensions=["jinja2.ext.do"])


def joined(template: Any, values: dict[str, Any]) -> str:
    """What Airflow does with a template, whose errors come after Jinja's own handling of them."""
    return "".join(template.root_render_func(template.new_context(values)))


def rendered(text: str, *, words: bool = False, environment: Environment | None = None, **more: Any) -> str:
    source = FluxSource(text, "t.flux")
    act = {**CONTEXT, **more}
    return render(source, environment or base(), lambda template: joined(template, act), takes_words=words)


@pytest.mark.parametrize(
    ("template", "flux"),
    [
        ("{{ evil | flux }}", SAFE),
        ("{{ five | flux }}", "5"),
        ("{{ minus | flux }} ^ 2", "(-5) ^ 2"),
        ("{{ half | flux }}", "(-0.5)"),
        ("{{ yes | flux }}", "true"),
        ("{{ when | flux }}", "2025-01-01T02:00:00Z"),
        ("{{ span | flux }}", "1h30m"),
        ("range(start: {{ back | flux }})", "range(start: (-3h))"),
        ("{{ names | flux }}", r'["a", "b\""]'),
        ("{{ pairs | flux }}", '{"site": "b", "n": 1}'),
        ("{{ '2025-01-01' | flux_time }}", "2025-01-01T00:00:00Z"),
        ("{{ '2025-01-01T02:00:00+02:00' | flux_time }}", "2025-01-01T00:00:00Z"),
        ("{{ when | flux_time }}", "2025-01-01T02:00:00Z"),
        ("{{ '90m' | flux_duration }}", "1h30m"),
        ("{{ '1mo' | flux_duration }}", "1mo"),
        ("{{ span | flux_duration }}", "1h30m"),
        ("r =~ {{ '^/dev.$' | flux_regex }}", r"r =~ /^\/dev.$/"),
        ("fn: {{ 'mean' | flux_name }}, r.{{ 'site' | flux_name }}", "fn: mean, r.site"),
        ("{{ 'a |> b()' | flux_raw }}", "a |> b()"),
        ("{{ five | flux | flux }}", "5"),
        ("{{ (five if yes else minus) | flux }}", "5"),
        ("{{ five | flux if yes else 'null' }}", "5"),
        ("{{ nope | default('x') | flux }}", '"x"'),
        ('"a${ {{ evil | flux }} }b" + {{ five | flux }}', f'"a${{ {SAFE} }}b" + 5'),
        ("// {{ evil | flux }}\nx", f"// {SAFE}\nx"),
        ("{{ five | flux }}-01-01", "5 -01-01"),
        ("a -{{ five | flux }}", "a - 5"),
        ("a / b / {{ five | flux }}", "a / b / 5"),
        (
            "{% from 'conditions.flux' import any_of %}{{ any_of('site', names) }}",
            r'r["site"] == "a" or r["site"] == "b\""',
        ),
        ("{% import './conditions.flux' as c %}{{ c.any_of('s', ['a']) }}", 'r["s"] == "a"'),
        ('a {% include "site.flux" %}', f"a |> filter(fn: (r) => r.site == {SAFE})"),
        ("{% extends 'base.flux' %}{% block body %}{{ super() }} + {{ minus | flux }}{% endblock %}", "a + (-5) + 5"),
        ("{% set part %}b: {{ five | flux }}{% endset %}a({{ part | flux_raw }})", "a(b: 5)"),
        ("{% filter indent(2) %}a\nb: {{ five | flux }}{% endfilter %}", "a\n  b: 5"),
        ("{% include ['nope.flux', 'site.flux'] %}", f"|> filter(fn: (r) => r.site == {SAFE})"),
        ("{% include 'nope.flux' ignore missing %}x", "x"),
    ],
)  # fmt: skip
def test_values_become_literals_where_the_script_expects_one(template: str, flux: str) -> None:
    assert rendered(template) == flux


@pytest.mark.parametrize(
    ("template", "line", "says"),
    [
        ("x\n{{ evil }}", 2, "would be pasted"),
        ('x = "{{ evil }}"', 1, "would be pasted"),
        ("{{ evil | flux | upper }}", 1, "would be pasted"),
        ("{{ function() }}", 1, "would be pasted"),
        ("{{ 'a' ~ evil }}", 1, "would be pasted"),
        ("{% if yes %}\n{{ evil | upper }}{% endif %}", 2, "would be pasted"),
        ("{% call function() %}{% endcall %}", 1, "would be pasted"),
        ("{% macro m() %}{% endmacro %}{% set m = function %}{{ m() }}", 1, "not from a macro"),
        ("{% filter replace('a', evil) %}a{% endfilter %}", 1, "over a block"),
        ("{% set x | upper %}a{% endset %}", 1, "over a block"),
        ("{% filter indent(evil) %}a\nb{% endfilter %}", 1, "over a block"),
        ('\nx = "a {{ evil | flux }}"', 2, "inside of a text in quotes"),
        ('x = "a\\{{ evil | flux }}"', 1, "inside of a text in quotes"),
        ('x = "${r}{{ evil | flux }}"', 1, "inside of a text in quotes"),
        ("r =~ /a{{ evil | flux }}/", 1, "inside of a regular expression"),
        ("(/{{ evil | flux_regex }}/)", 1, "inside of a regular expression"),
        ("{{ five | flux }}h", 1, "glued to 'h'"),
        ("{{ five | flux }}.5", 1, "glued to '.'"),
        ("5{{ five | flux }}", 1, "follows another value"),
        ("a {{ minus | flux }}", 1, "follows another value"),
        ("{{ five | flux }}{{ five | flux }}", 1, "follows another value"),
        ("r.{{ evil | flux }}", 1, "follows another value"),
        ("import {{ evil | flux }}", 1, "follows another value"),
        ("{{ day | flux }}", 1, "day is a date, which has no Flux type"),
        ("\n{{ nothing | flux }}", 2, "nothing is a NoneType"),
        ("{{ mixed | flux }}", 1, "mixed mixes Integer and String in one list"),
        ("{{ pairs.none | flux }}", 1, "pairs.none is undefined"),
        ("{{ pairs['x'] | flux_raw }}", 1, "pairs['x'] is undefined"),
        ("{{ five | flux_raw }}", 1, "five is a int, not a text"),
        ("{{ evil | flux_name }}", 1, "not a name in Flux"),
        ("{{ 'or' | flux_name }}", 1, "not a name in Flux"),
        ("{{ evil | flux_time }}", 1, "not an ISO 8601 time"),
        ("{{ evil | flux_duration }}", 1, "b"),
        ("{% set part %}{{ five | flux }}{% endset %}{{ part | flux }}", 1, "which a block has made"),
        ("\n{{ 1 / 0 | flux }}", 2, "would be pasted"),
        ("\n{{ (1 / 0) | flux }}", 2, "ZeroDivisionError: division by zero"),
        ("\n{{ nope.x | flux }}", 2, "'nope' is undefined"),
        ("\n\n{% if %}", 3, "Expected an expression"),
        ("\n{% include 'gone.flux' %}", 2, "there is no template 'gone.flux'"),
        ("\n{% include nothing %}", 2, "there is no template None"),
        ("{{ evil.__class__ | flux }}", 1, "evil.__class__ is undefined"),
    ],
)  # fmt: skip
def test_template_is_refused_with_its_line_when_a_value_could_change_the_script(
    template: str, line: int, says: str
) -> None:
    with pytest.raises(TemplateInvalid) as refused:
        rendered(template)
    assert refused.value.what.startswith(f"t.flux, line {line}: ")
    assert says in refused.value.what


def test_included_template_is_named_when_it_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "wrong.flux").write_text("x\ny\n{{ (1 / zero) | flux }}")
    with pytest.raises(TemplateInvalid, match=r"^deep/wrong.flux, line 3: ZeroDivisionError"):
        rendered('{% include "deep/wrong.flux" %}', environment=base(FileSystemLoader(str(tmp_path))), zero=0)
    with pytest.raises(TemplateInvalid, match=r"^bare.flux, line 2: .* would be pasted"):
        rendered('{% include "bare.flux" %}')


def test_template_is_refused_at_once_when_it_includes_itself() -> None:
    with pytest.raises(TemplateInvalid) as refused:
        check(FluxSource('{% include "a.flux" %}', "t.flux"), base())
    assert refused.value.what.endswith("includes itself: a.flux -> sub/b.flux -> a.flux")
    assert refused.value.what.startswith("sub/b.flux, line 2: ")
    with pytest.raises(TemplateInvalid, match="includes itself without end"):
        rendered("{% include name %}", name="self.flux")


def test_text_is_flux_when_airflow_renders_to_python_values() -> None:
    assert rendered("[1, {{ five | flux }}]", environment=base(kind=NativeEnvironment)) == "[1, 5]"


def test_hash_is_of_the_template_and_all_that_it_includes() -> None:
    def of(text: str, **changed: str) -> str:
        sources = check(FluxSource(text, "t.flux"), base(DictLoader({**PARTS, **changed})))
        return template_hash(sources)

    text = '{% include "site.flux" %}'
    assert of(text) == of(text, **{"a.flux": "changed"})
    assert len({of(text), of(text + " "), of(text, **{"site.flux": "changed"})}) == 3


@pytest.mark.parametrize(
    ("template", "flux"),
    [
        ('"{{ word }} {{ five }}"', '"a b 5"'),
        ("-{{ five }}h", "-5h"),
        ("{{ when.isoformat() }}", "2025-01-01T02:00:00+00:00"),
        ("fn: {{ 'mean' }}, {{ five | string }}, {{ evil | flux }}", f"fn: mean, 5, {SAFE}"),
    ],
)
def test_single_words_are_pasted_when_the_installation_lets_them(template: str, flux: str) -> None:
    assert rendered(template, words=True, word="a b") == flux


@pytest.mark.parametrize("template", ['"{{ evil }}"', "{{ evil }}", "{{ five }} {{ word }}", "/{{ evil }}/"])
def test_more_than_a_word_is_refused_when_the_installation_lets_words(template: str) -> None:
    with pytest.raises(TemplateInvalid, match=r"^t.flux, line 1: the value of "):
        rendered(template, words=True, word="mean()")
