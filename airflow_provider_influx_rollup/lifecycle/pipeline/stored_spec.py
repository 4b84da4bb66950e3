"""A spec as the ledger keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec


@dataclass(frozen=True, slots=True)
class StoredSpec:
    """One spec of one pipeline, with the present names of its buckets.

    :param values: the spec as JSON: that of a rollup, or of a user's script
    """

    pipeline: str
    spec_hash: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, spec: RollupSpec) -> StoredSpec:
        """A spec as the ledger would keep it."""
        return cls(spec.pipeline_name, spec.spec_hash(), spec.as_json())

    @property
    def key(self) -> tuple[str, str]:
        """Its identity among the specs of a ledger."""
        return self.pipeline, self.spec_hash

    @property
    def is_script(self) -> bool:
        """Whether it is a user's script, whose rows only the script can compute."""
        return "source_bucket" not in self.values

    @property
    def place(self) -> tuple[str, str] | None:
        """Bucket and measurement that a rollup writes; None for a script."""
        if self.is_script:
            return None
        return self.values["target_bucket"], self.values["target_measurement"] or self.values["measurement"]

    def rollup(self) -> RollupSpec:
        """The spec of a rollup."""
        return _rollup_of(json.dumps(self.values))


@lru_cache(maxsize=256)
def _rollup_of(text: str) -> RollupSpec:
    """The spec of a text: each run reads the same ones again, and their rules and hashes take long."""
    return RollupSpec.from_json(json.loads(text))
