"""Names that are made of a tag filter, and stay short enough to be a tag value in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from airflow_provider_influx_rollup.ledger.line_protocol import KEY_SPECIALS

# of the 65,531 bytes of a series and a field; the rest is for the other names of a record, or for a series' tags
MAX_PIPELINE_BYTES = 65_000
MAX_CHECK_BYTES = 60_000
DIGEST_HEX = 32


def filter_text(tags: Mapping[str, Sequence[str]]) -> str:
    """``device=a|b,site=x``."""
    return ",".join(f"{key}={'|'.join(values)}" for key, values in sorted(tags.items()))


def is_held(name: str) -> bool:
    """Whether line protocol holds a name as a tag value, and every delete can name it."""
    return not name.endswith("\\") and not any(character in name for character in "\r\n\0")


def is_short_name(name: str, most_bytes: int) -> bool:
    """Whether a name is a tag value that line protocol holds, and short enough.

    :param most_bytes: as line protocol has it, with its escapes
    """
    return is_held(name) and len(name.translate(KEY_SPECIALS).encode()) <= most_bytes


def short_filter_text(tags: Mapping[str, Sequence[str]]) -> str:
    """``device,site~<hash>``: the tag keys, and a hash of the whole filter, which may be long or hold a line feed."""
    digest = hashlib.sha256(filter_text(tags).encode()).hexdigest()[:DIGEST_HEX]
    return f"{','.join(sorted(tags))}~{digest}"
