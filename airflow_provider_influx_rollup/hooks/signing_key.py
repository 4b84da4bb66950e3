"""The key that signs certificates, from where secrets are kept; its value is never shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.airflow_compat import BaseHook, mask_secret, stored_variable
from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.signing_key import SigningKey

KINDS = ("connection", "variable", "env")
FIX = 'name where the key is kept: "connection:<conn_id>" (its password), "variable:<key>" or "env:<NAME>"'


def require_reference(reference: str) -> tuple[str, str]:
    """The place of a signing key.

    :param reference: ``connection:<conn_id>``, ``variable:<key>`` or ``env:<NAME>``
    :return: the kind and the name
    :raises ConfigurationError: when it is none of these; it may be a key by mistake, and is not repeated
    """
    kind, _, name = reference.strip().partition(":")
    if kind not in KINDS or not name:
        what = "signing_key does not name where a key is kept"
        raise ConfigurationError(what, written="nothing", fix=FIX)
    return kind, name


def load_signing_key(reference: str) -> SigningKey:
    """Read a key.

    :param reference: ``connection:<conn_id>``, ``variable:<key>`` or ``env:<NAME>``
    :raises ConfigurationError: when there is none, or it is no key
    :raises AirflowNotFoundException: when there is no such connection
    """
    from airflow_provider_influx_rollup.archive.signing_key import SigningKey

    kind, name = require_reference(reference)
    if kind == "connection":
        text = BaseHook.get_connection(name).password
    elif kind == "variable":
        text = stored_variable(name)
    else:
        text = os.environ.get(name)
    if not text:
        what = f"there is no signing key in {kind} {name!r}"
        raise ConfigurationError(what, written="nothing", fix=FIX)
    mask_secret(text)
    return SigningKey.parse(text.encode())
