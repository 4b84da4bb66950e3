"""The connection form of Airflow 2.11: what it shows of a stored connection, and what is stored when that is sent back."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

forms = pytest.importorskip("airflow.www.forms")
pytestmark = [pytest.mark.airflow, pytest.mark.timeout(100)]

OURS = "extra__influx_rollup__"


class Inputs(HTMLParser):
    """What a browser sends of a form that nobody has touched."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and (found["type"] != "checkbox" or "checked" in found):
            self.sent[str(found["name"])] = found.get("value") or ""


def edited(extra: dict[str, Any], **changes: str | None) -> dict[str, Any]:
    """The extras after somebody has opened the form, changed some fields, and saved it.

    :param changes: what is sent of a field; None: the box was emptied
    """
    from airflow.www.views import ConnectionModelView
    from flask import Flask
    from flask_babel import Babel

    app = Flask("form")
    app.config |= {"SECRET_KEY": "a", "WTF_CSRF_ENABLED": False}
    Babel(app)
    view = object.__new__(ConnectionModelView)
    form_class = forms.create_connection_form_class()
    named = {"conn_id": "a", "conn_type": "influx_rollup"}
    with app.test_request_context():
        form = form_class(data={**named, "extra": json.dumps(extra)})
        view.prefill_form(form, 1)
        inputs = Inputs()
        for field in form:
            if field.name.startswith(OURS):
                inputs.feed(str(field()))
        sent = {**named, **inputs.sent, "extra": form.extra.data}
    for name, value in changes.items():
        del sent[OURS + name]
        if value is not None:
            sent[OURS + name] = value
    with app.test_request_context(method="POST", data=sent):
        form = form_class()
        assert form.validate(), form.errors
        view.process_form(form, False)
        stored: dict[str, Any] = json.loads(form.extra.data)
    return {name: value for name, value in stored.items() if value is not None}


@pytest.mark.parametrize("stored", [True, False])
def test_boxes_stay_as_they_are_when_something_else_is_edited(stored: bool) -> None:
    extra = {"org": "a", "verify_ssl": stored, "gzip": not stored}
    assert edited(extra) == extra
    assert edited(extra, org="b") == {**extra, "org": "b"}


@pytest.mark.parametrize("word", ["false", "no", "0", "False"])
def test_a_word_for_false_stays_false(word: str) -> None:
    assert edited({"org": "a", "verify_ssl": word})["verify_ssl"] is False


def test_a_box_is_emptied_and_filled_by_hand() -> None:
    assert edited({"verify_ssl": True, "gzip": True}, verify_ssl=None) == {"verify_ssl": False, "gzip": True}
    assert edited({"verify_ssl": False, "gzip": True}) == {"verify_ssl": False, "gzip": True}


def test_a_limit_of_zero_stays_no_limit() -> None:
    kept = edited({"org": "a", "max_query_rows": 0, "max_query_seconds": 0, "pool_size": 4})
    assert (kept["max_query_rows"], kept["max_query_seconds"], kept["pool_size"]) == (0, "0", 4)


def test_what_was_never_stored_is_the_default() -> None:
    assert edited({"org": "a"}) == {"org": "a", "verify_ssl": True, "gzip": True}
