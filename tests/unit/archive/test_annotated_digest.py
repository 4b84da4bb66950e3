"""The digest of an answer."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.archive.annotated_digest import DigestDecoder
from airflow_provider_influx_rollup.exceptions import InfluxTruncated, QueryFailed

HEAD = b"#datatype,string,long,long,string\r\n#group,false,false,false,false\r\n#default,_result,,,\r\n,result,table,_value,tag\r\n"
ROWS = [b",,0,1,a\r\n", b',,0,2,"b\r\n,"\r\n', b",,0,3,\r\n"]
END = b"\r\n"


def digest(*pieces: bytes) -> str:
    decoder = DigestDecoder(QueryFailed)
    for piece in pieces:
        decoder.feed(piece)
    return decoder.close()


def test_digest_is_the_same_when_the_answer_comes_in_other_pieces() -> None:
    whole = HEAD + b"".join(ROWS) + END
    expected = digest(whole)
    assert all(digest(whole[:cut], whole[cut:]) == expected for cut in range(1, len(whole)))
    assert digest(*(whole[i : i + 1] for i in range(len(whole)))) == expected


def test_digests_differ_when_anything_in_the_answers_does() -> None:
    answers = [
        HEAD + b"".join(ROWS) + END,
        HEAD + b"".join(ROWS[::-1]) + END,
        HEAD + b"".join(ROWS[:2]) + END,
        HEAD.replace(b"long,string", b"double,string") + b"".join(ROWS) + END,
        HEAD.replace(b"tag", b"gat") + b"".join(ROWS) + END,
        HEAD + ROWS[0] + END + HEAD + ROWS[1] + ROWS[2] + END + HEAD + ROWS[0] + END,
        END,
    ]
    assert len({digest(answer) for answer in answers}) == len(answers)


def test_digest_is_refused_when_the_answer_stops_or_holds_an_error() -> None:
    with pytest.raises(InfluxTruncated):
        digest(HEAD + ROWS[0])
    error = b"#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,out of memory,\r\n"
    with pytest.raises(QueryFailed, match="out of memory"):
        digest(HEAD + ROWS[0] + END + error)
