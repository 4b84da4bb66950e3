"""Annotated CSV to one digest: whether two answers are the same, without decoding either."""

from __future__ import annotations

from hashlib import blake2b

from airflow_provider_influx_rollup.archive.annotated_csv import (
    Block,
    BlockSplitter,
    Doubts,
    ErrorFromText,
)


class DigestDecoder:
    """Digest the columns and records of an answer, in their order; memory stays flat.

    :param error_from_text: makes the error of a message that the server put into the answer
    """

    def __init__(self, error_from_text: ErrorFromText) -> None:
        self._splitter = BlockSplitter(error_from_text)
        self._hash = blake2b(digest_size=32)
        self._block: Block | None = None

    def feed(self, data: bytes) -> None:
        """Take more bytes of the answer."""
        for segment in self._splitter.feed(data):
            if segment.block is not self._block:
                self._block = segment.block
                self._hash.update(repr(segment.block).encode())
            self._hash.update(segment.data)

    @property
    def doubts(self) -> Doubts:
        """Places at which the answer may have lost carriage returns."""
        return self._splitter.doubts

    def close(self) -> str:
        """Check that the answer is complete and return the digest.

        :raises InfluxTruncated: when it stops in the middle
        :raises InfluxError: what the server says in the answer
        """
        self._splitter.close()
        return self._hash.hexdigest()
