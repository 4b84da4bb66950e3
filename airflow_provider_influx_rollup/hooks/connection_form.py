"""The connection form's own fields on Airflow 2.11, whose web server alone has what is imported here."""

from __future__ import annotations

import json
from typing import Any

from flask_appbuilder.fieldwidgets import (  # type: ignore[import-not-found, unused-ignore]
    BS3TextFieldWidget,
)
from flask_babel import lazy_gettext  # type: ignore[import-not-found, unused-ignore]
from wtforms import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    BooleanField,
    IntegerField,
    StringField,
)
from wtforms.fields.core import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    UnboundField,
)
from wtforms.validators import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    Optional,
)
from wtforms.widgets import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    CheckboxInput,
)

from airflow_provider_influx_rollup.get_provider_info import CONNECTION_FIELDS
from airflow_provider_influx_rollup.hooks.connection_settings import WORDS


def form_fields() -> dict[str, Any]:
    """The fields, by the names of their extras. Airflow takes these classes only, not those that inherit from them."""
    fields: dict[str, Any] = {}
    for name, field in CONNECTION_FIELDS.items():
        kind, label = field["schema"]["type"][0], lazy_gettext(field["label"])
        if kind == "boolean":
            options = {"default": field["schema"]["default"], "widget": _StoredCheckbox()}
            fields[name] = _OfForm(BooleanField, label, extra=name, **options)
            continue
        options = {"validators": [Optional()], "description": field["description"], "widget": _StoredText()}
        field_class = IntegerField if kind == "integer" else StringField
        fields[name] = _OfForm(field_class, label, extra=name, **options)
    return fields


class _OfForm(UnboundField):  # type: ignore[misc, unused-ignore]
    """A field that finds the extras of its form: Airflow fills none in whose value is false or 0, and then saves the default.

    :param extra: the field's name in the extras
    """

    def __init__(self, field_class: type, *args: Any, extra: str, **kwargs: Any) -> None:
        super().__init__(field_class, *args, **kwargs)
        self._extra = extra

    def bind(self, form: Any, name: str, **kwargs: Any) -> Any:
        field = super().bind(form, name, **kwargs)
        # when it is shown, the form has been filled in
        field.stored = lambda: _stored(form, self._extra)
        return field


def _stored(form: Any, extra: str) -> Any:
    """The stored value of a field that nobody has sent yet; None without one."""
    if form.is_submitted():
        return None
    try:
        extras = json.loads(form.extra.data or "{}")
    except ValueError:
        return None
    return extras.get(extra) if isinstance(extras, dict) else None


class _StoredCheckbox(CheckboxInput):  # type: ignore[misc, unused-ignore]
    """A box that is empty where the extra is stored as false, or as a word for it."""

    def __call__(self, field: Any, **kwargs: Any) -> Any:
        if WORDS.get(str(field.stored()).strip().lower()) is False:
            field.checked = False
        return super().__call__(field, **kwargs)


class _StoredText(BS3TextFieldWidget):  # type: ignore[misc, unused-ignore]
    """A text that shows a stored 0."""

    def __call__(self, field: Any, **kwargs: Any) -> Any:
        if field.stored() == 0:
            field.data = 0
        return super().__call__(field, **kwargs)
