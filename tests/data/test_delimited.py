"""Delimited text in every way it is written: the same cells come out; what is no table is one sentence."""

from __future__ import annotations

import csv
import gzip
import io
import random

import pytest

from etude.core.errors import EtudeError
from etude.data.delimited import read_delimited

ROWS = [
    ["0.5", "a b", "3"],
    ["-1e3", "c, d; e|f", "4"],
    ["", 'say "g"', "5"],
    ["2", "甲\u3000乙", "6"],
    ["1", "two\nlines", "7"],
]
HEADER = ["weight", "类别", "price"]


def cells(path, **options):
    found = read_delimited(path, **options)
    columns = [[cell for chunk in found.column(place) for cell in chunk] for place in range(len(found.names))]
    return found, [list(row) for row in zip(*columns)]


def written(rows, delimiter=",", ends="\n"):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=ends).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_every_delimiter_line_end_and_encoding_give_the_same_cells(tmp_path, delimiter, ends, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes(written([HEADER, *ROWS], delimiter, ends).encode(encoding))
    found, rows = cells(path)
    assert rows == ROWS
    assert found.names == tuple(HEADER)
    assert found.count == len(ROWS)
    assert found.decimal_comma == (delimiter == ";")
    assert bool(found.findings) == (encoding == "gb18030")


def test_compressed_and_with_blank_lines(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(("\n\n" + written([HEADER, *ROWS]) + "\n  \n").encode()))
    assert cells(path)[1] == ROWS


def test_columns_divided_by_spaces(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a  b   c\n1 2.5 x\n 3   4  y \n")
    found, rows = cells(path)
    assert (found.names, rows) == (("a", "b", "c"), [["1", "2.5", "x"], ["3", "4", "y"]])


def test_latin_1_is_told_from_gb18030(tmp_path):
    path = tmp_path / "t.csv"
    for words, encoding, name in (
        (["Müller", "café"], "latin-1", "Latin-1"),
        (["苹果", "香蕉"], "gb18030", "GB18030"),
    ):
        path.write_bytes(written([["w", "kind"], *[[str(n), words[n % 2]] for n in range(8)]]).encode(encoding))
        found, rows = cells(path)
        assert {row[1] for row in rows} == set(words)
        assert name in found.findings[0].en
        assert name in found.findings[0].zh


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["5.1,3.5,setosa", "4.9,3.0,setosa", "6.0,2.2,virginica"], False),
        (["length,width,species", "4.9,3.0,setosa", "6.0,2.2,virginica"], True),
        (["name,2019,2020", "x,1,2", "y,3,4"], False),
        (["name,2019,2020,rank", "x,1,2,9", "y,3,4,8"], True),
        (["p,x,s", "e,x,s", "p,b,y", "e,b,s", "p,x,y"], False),
        (["class,cap,gill", "e,x,s", "p,b,y", "e,b,s", "p,x,y"], True),
        (["a,b", ",1", "NA,2"], True),
        (["?,1", "3,4", "5,6"], False),
    ],
)
def test_a_header_is_found_out_or_told(tmp_path, lines, named):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    found = read_delimited(path)
    assert found.has_header is named
    assert found.count == len(lines) - named
    assert found.names == (
        tuple(lines[0].split(",")) if named else tuple(f"column {n + 1}" for n in range(len(found.names)))
    )
    assert any("no names" in each.en for each in found.findings) != named
    assert read_delimited(path, has_header=not named).has_header is not named


def test_a_file_longer_than_what_is_joined_at_a_time(tmp_path):
    chance = random.Random(0)
    rows = [[f"{chance.random():.6f}", str(n), chance.choice("ab")] for n in range(150_000)]
    path = tmp_path / "t.csv"
    path.write_text("x,n,k\n" + written(rows))
    found, back = cells(path)
    assert len(found.chunks) > 1
    assert back == rows


def _binary(seed):
    return random.Random(seed).randbytes(4000)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b" \n\r\n\n", "is empty"),
        (b"a,b,c\n", "no rows below"),
        (b"a\n1\n2\n", "one column only"),
        (b"a,b\n1,2\n3\n4,5\n", "line 3 has 1 cells, the first line 2"),
        (b"a,b\n1,2\n\n\n3,4,5\n", "line 5 has 3 cells"),
        (b"a,b,a\n1,2,3\n", "two columns called 'a'"),
        (b'a,b\n1,2\n3,"x\n5,6\n', "the row from line 3 on"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "131,072 characters"),
        (_binary(0), "binary data"),
        (_binary(1).replace(b"\0", b"\1"), "binary data"),
        (b"a,b\n" + b"1,2\n" * 30_000 + b"1,\0\n", "binary data"),
        (b"PK\x03\x04 and so on", "Excel"),
        (b"\xff\xfea\0,\0b\0\n\0\x00\xd8\x00\xd8", "utf-16"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(EtudeError, match=words) as error:
        read_delimited(path)
    for text in (error.value.text.en, error.value.text.zh):
        assert str(path) in text
        assert "\n" not in text


def test_a_million_columns_are_one_sentence(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",".join(f"c{n}" for n in range(1_000_000)) + "\n" + "1," * 999_999 + "1\n")
    with pytest.raises(EtudeError, match="1,000,000 columns"):
        read_delimited(path)


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"a,b\n1,2\n")[:-10], b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n")[:12] + b"\1\2\3" * 9],
)
def test_what_cannot_be_unpacked_is_one_sentence(tmp_path, content):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(content)
    with pytest.raises(EtudeError, match="cannot be unpacked"):
        read_delimited(path)
