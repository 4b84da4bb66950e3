"""Receive in a thread while the caller decodes: the server is never kept waiting."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import copy_context

# pieces of 256 KiB: what is received ahead stays small
MAX_PIECES = 16
PATIENCE_SECONDS = 0.1

Item = bytes | BaseException | None


class _Receiver:
    """A thread that takes pieces into a short queue, until they are no longer wanted."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._waiting: queue.Queue[Item] = queue.Queue(MAX_PIECES)
        self._is_left = threading.Event()

    def run(self) -> None:
        end: Item = None
        try:
            for piece in self._pieces:
                if not self._put(piece):
                    return
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            end = error
        self._put(end)

    def take(self) -> Iterator[bytes]:
        while (item := self._waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def leave(self) -> None:
        self._is_left.set()

    def _put(self, item: Item) -> bool:
        while not self._is_left.is_set():
            try:
                self._waiting.put(item, timeout=PATIENCE_SECONDS)
            except queue.Full:
                continue
            return True
        return False


@contextmanager
def read_ahead(pieces: Generator[bytes, None, None]) -> Iterator[Iterator[bytes]]:
    """Iterate over pieces that a thread receives; its error is raised where the pieces end.

    :param pieces: closed when the block is left, also when not all of them were taken
    """
    receiver = _Receiver(pieces)
    thread = threading.Thread(
        target=copy_context().run, args=(receiver.run,), name="influx-rollup-read-ahead", daemon=True
    )
    thread.start()
    try:
        yield receiver.take()
    finally:
        receiver.leave()
        thread.join()
        pieces.close()
