"""Times of crons, against croniter, which Airflow brings along."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice

from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.windows.cron import Cron
from tests.scenes.examples import examples

MONTHS = ("jan", "Feb", "sep", "DEC")
WEEKDAYS = ("sun", "Mon", "FRI")
INSTANTS = st.integers(1_500_000_000, 2_500_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))


def parts(first: int, last: int, *, names: Sequence[str] = (), steps: bool = True) -> st.SearchStrategy[str]:
    """A value, a name, a span or a star, with and without a step."""
    number = st.integers(first, last)
    ends = st.tuples(number, number).filter(lambda both: both[0] < both[1])
    spans = ends.map(lambda both: f"{both[0]}-{both[1]}")
    step = st.integers(2, last).map(lambda one: f"/{one}")
    stepped = st.tuples(st.one_of(st.just("*"), spans), st.one_of(st.just(""), step)).map("".join)
    return st.one_of(
        number.map(str), stepped if steps else spans, *([st.sampled_from(names)] if names else [])
    )


def fields(first: int, last: int, *, names: Sequence[str] = (), steps: bool = True) -> st.SearchStrategy[str]:
    return st.lists(parts(first, last, names=names, steps=steps), min_size=1, max_size=3).map(",".join)


DAYS = st.one_of(
    st.tuples(fields(1, 28), fields(1, 12, names=MONTHS), st.just("*")),
    st.tuples(st.just("*"), st.just("*"), fields(0, 6, names=WEEKDAYS, steps=False)),
)
CRONS = st.tuples(fields(0, 59), fields(0, 23), DAYS).map(lambda one: " ".join((*one[:2], *one[2])))


@settings(max_examples=examples(60), deadline=None)
@given(text=CRONS, until=INSTANTS)
def test_times_are_those_of_croniter_when_the_cron_is_a_plain_one(text: str, until: datetime) -> None:
    cron = Cron.parse(text)
    # what InfluxDB takes otherwise is refused
    assume(cron is not None)
    assert cron is not None
    ours = list(islice(cron.backwards(until), 4))
    minute = until.replace(second=0, microsecond=0)
    # get_prev() leaves the time itself out
    theirs = [minute] if croniter.match(text, minute) else []
    before = croniter(text, minute, ret_type=datetime)
    theirs += [before.get_prev() for _ in range(4 - len(theirs))]
    assert ours == theirs


@settings(max_examples=examples(300), deadline=None)
@given(text=st.text("0123456789*/-, ?LW#@hourlyjanmonH", max_size=25))
def test_no_time_is_given_of_a_cron_that_croniter_refuses(text: str) -> None:
    cron = Cron.parse(text)
    if cron is not None:
        assert croniter.is_valid(cron.text)
