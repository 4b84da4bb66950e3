"""A step: a request of a verb that a driver fulfils, with the type of its answer."""

from __future__ import annotations

from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Step(Generic[Answer]):
    """A typed request to the driver: ``Step[list[Row]]`` is answered by a list of rows."""

    __slots__ = ()

    @property
    def may_write(self) -> bool:
        """Whether it may change points, files, tasks or settings."""
        return False


class Change(Step[Answer]):
    """A step that changes something, or may."""

    __slots__ = ()

    @property
    def may_write(self) -> bool:
        """Always."""
        return True
