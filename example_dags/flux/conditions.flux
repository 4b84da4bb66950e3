{# a condition that InfluxDB pushes down, which contains() is not -#}
{% macro any_of(column, values) -%}
{% for value in values %}r[{{ column | flux }}] == {{ value | flux }}{% if not loop.last %} or {% endif %}{% endfor %}
{%- endmacro %}
