"""Buckets with all that is set of them: made, looked at and changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.client.answers import bucket_of, settings_of
from airflow_provider_influx_rollup.client.labels import Ask, set_labels
from airflow_provider_influx_rollup.exceptions import BucketNotFound, InfluxRejected
from airflow_provider_influx_rollup.steps.influx import ApplyBucket, Bucket, BucketSettings


@dataclass(slots=True)
class BucketAdmin:
    """The buckets of one organisation.

    :param org: its name
    :param ask: sends a request and returns its JSON
    :param org_id: its id, for a bucket that is made
    :param are_listed: False once the server had no list of buckets for the token
    """

    org: str
    ask: Ask
    org_id: Callable[[str], str]
    are_listed: bool = True

    def item(self, name: str) -> Mapping[str, Any] | None:
        """The JSON of a bucket; None when it is missing, or the token may not read it."""
        try:
            answer = self.ask(requests.find_bucket_request(self.org, name))
        except BucketNotFound:
            return None
        return next((item for item in answer["buckets"] if item["name"] == name), None)

    def of_id(self, bucket_id: str) -> Bucket | None:
        """A bucket by its id; None when it is missing, or the token may not read it."""
        try:
            answer = self.ask(requests.bucket_of_id_request(bucket_id))
        except BucketNotFound:
            return None
        return next(map(bucket_of, answer["buckets"]), None)

    def look(self, name: str) -> BucketSettings | None:
        """Settings of a bucket; None when it is missing, or the token may not read it."""
        item = self.item(name)
        return None if item is None else settings_of(item)

    def apply(self, wanted: ApplyBucket) -> None:
        """Make or change a bucket; again it is the same.

        :raises InfluxForbidden: when the token may not
        """
        identity = wanted.id or self._made(wanted)
        if wanted.id:
            self.ask(requests.change_bucket_request(wanted.id, wanted.name, settings_body(wanted)))
        if wanted.labels:
            set_labels(
                self.ask,
                self.org_id(wanted.name),
                wanted.labels,
                lambda name, label_id: requests.add_label_request(identity, name, label_id),
            )

    def _made(self, wanted: ApplyBucket) -> str:
        body = {"orgID": self.org_id(wanted.name), "name": wanted.name, **settings_body(wanted)}
        try:
            return str(self.ask(requests.make_bucket_request(wanted.name, body))["id"])
        except InfluxRejected:
            found = self.look(wanted.name)
            if found is None:
                raise
            # another worker was faster, or a try whose answer was lost has made it
            self.ask(requests.change_bucket_request(found.id, wanted.name, settings_body(wanted)))
            return found.id


def settings_body(wanted: ApplyBucket) -> dict[str, Any]:
    """The JSON of a bucket's settings."""
    # without a rule InfluxDB leaves the retention as it is
    rule: dict[str, Any] = {"type": "expire", "everySeconds": wanted.retention_seconds}
    if wanted.shard_group_seconds is not None:
        rule["shardGroupDurationSeconds"] = wanted.shard_group_seconds
    described = {} if wanted.description is None else {"description": wanted.description}
    return {"retentionRules": [rule], **described}
