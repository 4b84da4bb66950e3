"""Answers of profiled queries, cut into pieces anywhere, are what they would be without the profiler."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.profiler import profiled_request, without_profile
from airflow_provider_influx_rollup.client.requests import Request, query_request
from airflow_provider_influx_rollup.client.tally import counting

ONE = b'#datatype,string,long,string\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,a\r\n,,0,"x\n#default,_profiler,"\r\n\r\n'
TWO = ONE.replace(b"_result", b"b")
PROFILE = (
    b"#datatype,string,long,string,long,string\r\n#group,false,false,true,false,false\r\n#default,_profiler,,,,\r\n"
    b',result,table,_measurement,MaxAllocated,flux/query-plan\r\n,,0,profiler/query,1568,"digraph {\n  ""a"" -> ""b""\n}"\r\n\r\n'
)
EMPTY = b"\r\n"


def request_of(flux: str) -> Request:
    return query_request("org", flux)


PROFILED = profiled_request("buckets()", request_of)


@given(whole=st.sampled_from([EMPTY, ONE, ONE + TWO, ONE * 2000]), cuts=st.lists(st.floats(0, 1), max_size=5))
def test_answer_is_the_same_when_it_comes_in_any_pieces(whole: bytes, cuts: list[float]) -> None:
    answer = whole + PROFILE
    places = [0, *sorted(int(cut * len(answer)) for cut in cuts), len(answer)]
    pieces = [answer[start:stop] for start, stop in pairwise(places)]
    with counting() as counts:
        assert b"".join(without_profile(PROFILED, pieces)) == whole
    assert counts.query_memory_bytes == 1568


def test_answer_stays_cut_when_it_ends_before_the_profile() -> None:
    with counting() as counts:
        assert b"".join(without_profile(PROFILED, [ONE[:-20]])) == ONE[:-20]
    assert counts.query_memory_bytes == 0


def test_answer_is_passed_on_when_its_query_was_not_profiled() -> None:
    assert list(without_profile(request_of("x"), [ONE, PROFILE])) == [ONE, PROFILE]


def test_script_is_not_profiled_when_its_package_has_a_name() -> None:
    assert not profiled_request("// a comment\npackage main\nbuckets()", request_of).is_profiled
    assert profiled_request("packages = 1", request_of).is_profiled
