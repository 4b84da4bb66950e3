"""Which series are silent, and which windows lack something, in plain Python over the raw points."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

Tags = tuple[tuple[str, str], ...]
Source = Mapping[tuple[Tags, int], float]

DEAD, ALIVE, RETIRED = "crit", "ok", "info"


@dataclass(frozen=True, kw_only=True)
class PlainDeadman:
    """A check.

    :param silence: nanoseconds without a point that are death; None: the length of what is checked
    :param listed: series that are expected; None: those that were seen
    :param retire_after: nanoseconds after which a series is given up; None: never
    """

    silence: int | None = None
    listed: tuple[Tags, ...] | None = None
    retire_after: int | None = None

    def levels(self, source: Source, start: int, stop: int) -> dict[Tags, str]:
        """The level of each series that is spoken of."""
        keys = None if self.listed is None else {key for tags in self.listed for key, _ in tags}
        last: dict[Tags, int] = {}
        for tags, time in source:
            if time < stop:
                kept = tags if keys is None else tuple(tag for tag in tags if tag[0] in keys)
                last[kept] = max(time, last.get(kept, time))
        found = {}
        for tags in last if self.listed is None else self.listed:
            level = self._level(last.get(tags), start, stop)
            if level:
                found[tags] = level
        return found

    def _level(self, last: int | None, start: int, stop: int) -> str:
        silence = stop - start if self.silence is None else self.silence
        if last is None:
            return DEAD
        if last >= stop - silence:
            return ALIVE
        if self.retire_after is None or last >= stop - self.retire_after:
            return DEAD
        # it was retired by the check of an earlier time
        return RETIRED if last >= stop - self.retire_after - (stop - start) else ""


@dataclass(frozen=True, kw_only=True)
class PlainSensor:
    """What a complete window has.

    :param series: how many at least
    :param listed: tags that series have
    :param is_seen_before: whether each series that was there before is expected
    :param points: how many each series has at least
    """

    series: int = 1
    listed: tuple[Tags, ...] = ()
    is_seen_before: bool = False
    points: int = 1

    def lacking(self, before: Source, source: Source, span: tuple[int, int], length: int) -> set[int]:
        """Starts of the windows that lack something.

        :param before: what the source was when it was asked which series are expected
        """
        listed: Collection[Tags] = self.listed
        if self.is_seen_before:
            listed = {tags for tags, time in before if time < span[0]}
        lacking = set()
        for start in range(*span, length):
            there: dict[Tags, int] = {}
            for tags, time in source:
                if start <= time < start + length:
                    there[tags] = there.get(tags, 0) + 1
            counting = [tags for tags in there if not listed or any(set(one) <= set(tags) for one in listed)]
            is_there = all(any(set(one) <= set(tags) for tags in there) for one in listed)
            is_whole = all(there[tags] >= self.points for tags in counting)
            if len(there) < self.series or not is_there or not is_whole:
                lacking.add(start)
        return lacking
