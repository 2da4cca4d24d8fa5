"""Bytes on their way to the disk: written in pieces, each of which the disk is told of."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from embcodec.containers import disk, read_tensors, tensor_header, write_tensors

PAGE = disk.PAGESIZE


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_FIRST_PIECE", 2 * PAGE)
    monkeypatch.setattr(disk, "_LARGEST_PIECE", 8 * PAGE)


def parts_of(size: int) -> list[bytes]:
    """Return parts of odd lengths, an empty one among them, of that many bytes together."""
    data = np.random.default_rng(size).bytes(size)
    cuts = sorted({0, min(size, 100), min(size, 101), size // 3, size})
    return [b"", *(data[start:stop] for start, stop in pairwise(cuts))]


@pytest.mark.parametrize("way", ["whole", "short", "elsewhere"])
def test_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Also where a system writes less than it is given, or has no call for several parts."""
    if way != "whole" and not hasattr(os, "pwritev"):
        pytest.skip("this system has no pwritev")
    if way == "short":
        real = os.pwritev
        monkeypatch.setattr(os, "pwritev", lambda file, parts, at: real(file, [parts[0][: PAGE // 2 + 7]], at))
    elif way == "elsewhere":
        monkeypatch.delattr(os, "pwritev")
    for size in (0, 1, PAGE, 2 * PAGE - 1, 2 * PAGE, 2 * PAGE + 1, 8 * PAGE, 25 * PAGE + 3):
        parts = parts_of(size)
        for buffering in (0, 4096):
            with open(tmp_path / "a", "wb", buffering=buffering) as file:
                disk.put_and_store(file, parts, 100)
                disk.put(file, 3, [b"xy", b"z"])
            expected = b"".join(parts).ljust(3, b"\0")
            assert (tmp_path / "a").read_bytes() == expected[:3] + b"xyz" + expected[6:], size


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone can be told of pieces")
def test_the_disk_is_told_of_each_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whole pages, once each, when they have been written; not of the first ones, which are written again."""
    told: list[tuple[int, int, int]] = []

    def tell(descriptor: int, start: int, length: int, flags: int) -> None:
        assert flags == 2
        told.append((start // PAGE, -(-length // PAGE), os.fstat(descriptor).st_size))

    monkeypatch.setattr(disk, "_sync_file_range", lambda: tell)
    with open(tmp_path / "a", "wb") as file:
        disk.put_and_store(file, parts_of(25 * PAGE + 3), 100)
    assert told == [
        (1, 1, 2 * PAGE),
        (2, 2, 4 * PAGE),
        (4, 4, 8 * PAGE),
        (8, 8, 16 * PAGE),
        (16, 8, 24 * PAGE),
        (24, 2, 25 * PAGE + 3),
    ]
    told.clear()
    with open(tmp_path / "a", "wb") as file:
        disk.put_and_store(file, parts_of(PAGE), 100)
    assert not told


def test_checksums_take_their_own_place_in_a_header(tmp_path: Path) -> None:
    """Whatever the metadata say, or an array is called."""
    words = {'x"data_checksum': "0" * 8, "header_checksum": "0" * 8, "a": '"data_checksum":"00000000"'}
    tensors = {"data_checksum": np.arange(5), "b": np.ones((2, 3), ">f4")}
    write_tensors(tmp_path / "a.safetensors", tensors, words)
    found, known = read_tensors(tmp_path / "a.safetensors")
    assert known == {name: word for name, word in words.items() if name != "header_checksum"}
    assert {name: array.tolist() for name, array in found.items()} == {
        "data_checksum": [0, 1, 2, 3, 4],
        "b": [[1.0] * 3] * 2,
    }
    write_tensors(tmp_path / "b.safetensors", {}, {})
    assert read_tensors(tmp_path / "b.safetensors") == ({}, {})


def test_headers_as_written_are_read_as_any(tmp_path: Path) -> None:
    """The shorter way to read one gives what the other gives, or leaves it to that."""
    arrays, words = {"a": np.zeros((3, 2), np.int8), "b": np.zeros(2)}, {"kind": "x", "more": '"ü\\'}
    write_tensors(tmp_path / "a.safetensors", arrays, words)
    data = (tmp_path / "a.safetensors").read_bytes()
    header, size = data[8:-22], 22
    assert tensor_header._as_written(header, size) == tensor_header._parsed(header, size) != ({}, {})
    assert tensor_header._as_written(header, size + 1) is None
    pieces = [
        b'"',
        b"\\",
        b"{",
        b"}",
        b",",
        b"0",
        b'"kind":"x",',
        b'"__metadata__":{},',
        b'"data_checksum":"00000000",',
    ]
    for place in range(len(header)):
        for piece in pieces:
            for text in (
                header[:place] + piece + header[place:],
                header[:place] + piece + header[place + len(piece) :],
            ):
                found = tensor_header._as_written(text, size)
                assert found is None or found == tensor_header._parsed(text, size), text
