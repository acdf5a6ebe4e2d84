"""The GGUF header reader, on files that the test writes and on what hostile bytes make of them."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.lm import gguf

KINDS = {"u8": (0, "B"), "i32": (5, "i"), "u32": (4, "I"), "f32": (6, "f"), "bool": (7, "?"), "u64": (10, "Q"), "f64": (12, "d")}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind: str, value: float) -> bytes:
    number, code = KINDS[kind]
    return struct.pack(f"<I{code}", number, value)


def string(value: str) -> bytes:
    return struct.pack("<I", 8) + text(value)


def array(kind: int, count: int, data: bytes) -> bytes:
    return struct.pack("<IIQ", 9, kind, count) + data


KEYS: dict[str, bytes] = {
    "general.architecture": string("llama"),
    "general.name": string("Small Modél"),
    "llama.context_length": scalar("u32", 8192),
    "llama.rope.freq_base": scalar("f32", 0.5),
    "tokenizer.ggml.add_bos_token": scalar("bool", True),
    "tokenizer.ggml.tokens": array(8, 3, text("a") + text("") + text("ccc")),
    "tokenizer.ggml.token_type": array(5, 4, struct.pack("<4i", 1, 2, 3, 4)),
    "tokenizer.chat_template": string("{{ messages }}"),
    "llama.offset": scalar("i32", -3),
    "llama.big": scalar("u64", 2**63),
}


def build(keys: dict[str, bytes] = KEYS, version: int = 3, tensors: int = 2, magic: bytes = b"GGUF", n_keys: int | None = None) -> bytes:
    head = magic + struct.pack("<IQQ", version, tensors, len(keys) if n_keys is None else n_keys)
    return head + b"".join(text(k) + v for k, v in keys.items()) + b"\0" * 64


def build_tensors(tensors: list[tuple[bytes, tuple[int, ...], int, bytes]], keys: dict[str, bytes] = KEYS, alignment: int = 32) -> bytes:
    """A whole file of tensors: name, shape, type, data."""
    head, table, data = build(keys, tensors=len(tensors))[:-64], b"", b""
    for name, shape, kind, content in tensors:
        table += struct.pack("<Q", len(name)) + name + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        table += struct.pack("<IQ", kind, len(data))
        data += content + b"\0" * (-len(content) % alignment)
    return head + table + b"\0" * (-len(head + table) % alignment) + data


FLOATS = [(b"a", (4, 2), 0, bytes(32)), (b"b", (), 1, b"12"), (b"c", (64,), 2, b"x" * 36)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gguf") / "model.gguf"


@pytest.mark.parametrize("version", [2, 3])
def test_a_header_is_read(file: Path, version: int) -> None:
    file.write_bytes(build(version=version))
    header = gguf.read_header(file)
    assert (header.version, header.n_tensors, header.architecture, header.name) == (version, 2, "llama", "Small Modél")
    assert (header.context_length, header.chat_template) == (8192, "{{ messages }}")
    assert header.metadata == {
        "general.architecture": "llama",
        "general.name": "Small Modél",
        "llama.context_length": 8192,
        "llama.rope.freq_base": 0.5,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.chat_template": "{{ messages }}",
        "llama.offset": -3,
        "llama.big": 2**63,
    }


def test_what_a_file_does_not_say(file: Path) -> None:
    file.write_bytes(
        build({"general.architecture": string("qwen2"), "qwen2.context_length": string("many"), "general.name": scalar("u8", 7)})
    )
    header = gguf.read_header(str(file))
    assert (header.name, header.context_length, header.chat_template) == ("", None, "")


BAD = {
    "empty": (b"", "begin with"),
    "other magic": (build(magic=b"GGML"), "begin with"),
    "version 1": (build(version=1), "version 1"),
    "big-endian": (build(version=3 << 24), "big-endian"),
    "no architecture": (build({"general.name": string("x")}), "architecture"),
    "too many tensors": (build(tensors=2**60), "tensors"),
    "too many keys": (build(n_keys=2**60), "keys"),
    "more keys than there are": (build(n_keys=4000), "cut short|bytes in one text|unknown type"),
    "a long text": (build({"k": struct.pack("<IQ", 8, 2**40)}), "bytes in one text"),
    "a long array": (build({"k": array(5, 2**62, b"")}), "cut short"),
    "a long array of texts": (build({"k": array(8, 2**62, b"")}), "cut short"),
    "nested arrays": (build({"k": array(9, 1, b"")}), "array of the type 9"),
    "unknown type": (build({"k": struct.pack("<I", 77)}), "unknown type 77"),
    "too much text": (build({f"k{i}": string("x" * (1 << 20)) for i in range(17)}), "more than"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_gguf_is_refused_by_name(file: Path, name: str) -> None:
    data, message = BAD[name]
    file.write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        gguf.read_header(file)
    assert str(file) in str(error.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.gguf"):
        with pytest.raises(InputError, match="cannot read"):
            gguf.read_header(path)


def test_every_cut_is_refused(file: Path) -> None:
    whole = build()[:-64]
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        with pytest.raises(InputError):
            gguf.read_header(file)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(build()) - 1), st.integers(0, 255)), min_size=1, max_size=6), st.binary(max_size=8))
def test_changed_bytes_give_a_header_or_an_input_error(file: Path, changes: list[tuple[int, int]], tail: bytes) -> None:
    data = bytearray(build())
    for place, value in changes:
        data[place] = value
    file.write_bytes(bytes(data) + tail)
    try:
        header = gguf.read_header(file)
    except InputError:
        return
    assert isinstance(header.architecture, str)
    assert header.context_length is None or header.context_length > 0


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_after_the_magic(file: Path, data: bytes) -> None:
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 3) + data)
    with contextlib.suppress(InputError):
        gguf.read_header(file)


def test_tensors_are_found(file: Path) -> None:
    aligned = {**KEYS, "general.alignment": scalar("u32", 64)}
    for keys, alignment in ((KEYS, 32), (aligned, 64)):
        data = build_tensors(FLOATS, keys, alignment)
        file.write_bytes(data)
        layout = gguf.read_layout(file)
        assert (layout.alignment, layout.data_at % alignment) == (alignment, 0)
        assert data[layout.metadata_end :].startswith(struct.pack("<Q", 1) + b"a")
        found = [data[layout.data_at + t.offset :][: t.size] for t in layout.tensors]
        assert [(t.name, t.shape, t.type, content) for t, content in zip(layout.tensors, found, strict=True)] == FLOATS


BAD_TENSORS = {
    "cut short": (build_tensors(FLOATS)[:-60], "outside the file"),
    "unknown type": (build_tensors([(b"a", (4,), 77, b"")]), "unknown type 77"),
    "many axes": (build_tensors([(b"a", (1,) * 5, 0, bytes(4))]), "5 axes"),
    "no weights": (build_tensors([(b"a", (0, 4), 0, b"")]), "shape"),
    "huge": (build_tensors([(b"a", (2**63, 2**63), 0, b"")]), "outside the file"),
    "half a block": (build_tensors([(b"a", (16, 2), 2, bytes(18))]), "shape"),
    "not aligned": (build_tensors(FLOATS, alignment=8), "not aligned"),
    "alignment 3": (build_tensors(FLOATS, {**KEYS, "general.alignment": scalar("u32", 3)}), "power of 2"),
    "alignment 0": (build_tensors(FLOATS, {**KEYS, "general.alignment": scalar("u32", 0)}), "power of 2"),
    "no table": (build(tensors=5)[:-64], "cut short"),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_impossible_tensors_are_refused(file: Path, name: str) -> None:
    data, message = BAD_TENSORS[name]
    file.write_bytes(data)
    with pytest.raises(InputError, match=message):
        gguf.read_layout(file)


def test_block_sizes_are_those_of_the_format() -> None:
    sizes = pytest.importorskip("gguf").GGML_QUANT_SIZES
    known = {int(kind): size for kind, size in sizes.items()}
    assert {kind: known[kind] for kind in gguf._BLOCKS} == gguf._BLOCKS
