"""Sources that a user's script may read, as far as its text tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

NAMED_MEASUREMENT = re.compile(r"""_measurement"?\]?\s*==""")


@dataclass(frozen=True, slots=True)
class ScriptReads:
    """Sources that a script may read.

    :param buckets: that it reads
    :param text: the script, and the values of its parameters
    """

    ledger_bucket: str
    buckets: tuple[str, ...]
    text: str

    @classmethod
    def of(cls, ledger_bucket: str, buckets: Iterable[str], script: str, params: Any) -> ScriptReads:
        """Sources that a script may read with these parameters."""
        return cls(ledger_bucket, tuple(buckets), text_of(script, params))


def text_of(script: str, params: Any) -> str:
    """A script and the values of its parameters, in which names are looked for."""
    return f"{script}\n{json.dumps(params, ensure_ascii=False, default=str)}"


def may_read(text: str, measurement: str) -> bool:
    """Whether a text names a measurement, as it is or escaped, or none at all: then the script reads all of them.

    :param text: as ``text_of`` makes it
    """
    # Flux and JSON escape quotes and backslashes alike
    escaped = json.dumps(measurement, ensure_ascii=False)[1:-1]
    return measurement in text or escaped in text or not NAMED_MEASUREMENT.search(text)
