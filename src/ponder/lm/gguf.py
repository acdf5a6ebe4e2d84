"""What a GGUF file says of the model inside, read without loading it: its metadata, and where its tensors lie.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ponder.core.errors import InputError

Scalar = int | float | bool | str

MAX_KEYS = 4096
MAX_TENSORS = 1_000_000
MAX_STRING = 1 << 20
MAX_TEXT = 16 << 20
MAX_DIMS = 4
MAX_ALIGNMENT = 1 << 16
"""Limits that real files stay far below: bytes of one text, and of all texts that are kept; axes of a tensor; bytes of padding."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

# (weights, bytes) of one block of every tensor type, by the number that files use for it.
_BLOCKS = (
    {0: (1, 4), 1: (1, 2), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 30: (1, 2)}
    | {2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40), 20: (32, 18), 39: (32, 17)}
    | {10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)}
    | {16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 21: (256, 110), 22: (256, 82), 23: (256, 136), 29: (256, 56)}
    | {34: (256, 54), 35: (256, 66), 40: (64, 36), 41: (128, 18)}
)


@dataclass(frozen=True)
class Header:
    """What is known of a model before it is loaded.

    Attributes:
        version: of the file format, 2 or 3.
        n_tensors: how many tensors the file holds.
        architecture: "llama", "qwen2", ...
        name: the model's name, "" if it has none.
        context_length: tokens that the model was trained to read; None if the file does not say.
        chat_template: the Jinja template of its chats, "" if it has none.
        metadata: every key whose value is a number, a truth value or a text; arrays are left out.
    """

    version: int
    n_tensors: int
    architecture: str
    name: str = ""
    context_length: int | None = None
    chat_template: str = ""
    metadata: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar], repr=False)


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies.

    Attributes:
        name: as its bytes stand in the file.
        shape: the fastest axis first.
        type: the file format's number of its type.
        offset: bytes from `Layout.data_at`.
        size: bytes.
    """

    name: bytes
    shape: tuple[int, ...]
    type: int
    offset: int
    size: int


@dataclass(frozen=True)
class Layout:
    """Where the parts of a file lie. Every tensor is inside the file.

    Attributes:
        metadata_end: bytes before the tensor table.
        data_at: where tensor data begin, a multiple of `alignment`.
        alignment: of every tensor's offset, in bytes.
        tensors: in the order of the table.
    """

    metadata_end: int
    data_at: int
    alignment: int
    tensors: tuple[Tensor, ...]


def read_header(path: str | Path) -> Header:
    """The header of a GGUF file.

    Raises:
        InputError: the file cannot be read, is no GGUF of version 2 or 3, is cut short or has impossible counts.
    """
    with _opened(path) as reader:
        return reader.header()


def read_layout(path: str | Path) -> Layout:
    """The tensor table of a GGUF file, checked against the file's size.

    Raises:
        InputError: as `read_header`; also for tensors of unknown types, impossible shapes, or outside the file.
    """
    with _opened(path) as reader:
        return reader.layout(reader.header())


@contextmanager
def _opened(path: str | Path) -> Iterator[_Reader]:
    try:
        with open(path, "rb") as file:
            yield _Reader(file, Path(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


class _Reader:
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.size = self.left = os.fstat(file.fileno()).st_size
        self.kept = 0

    def fail(self, what: str) -> InputError:
        return InputError(f"{self.path} is not a GGUF file that can be read: {what}")

    def header(self) -> Header:
        if self.left < 4 or self.bytes(4) != b"GGUF":
            raise self.fail("it does not begin with 'GGUF'")
        version = self.number("I")
        if version not in (2, 3):
            raise self.fail(f"it is of version {version} (or big-endian), and versions 2 and 3 can be read")
        n_tensors, n_keys = self.count("tensors", MAX_TENSORS), self.count("keys", MAX_KEYS)
        found: dict[str, Scalar] = {}
        for _ in range(n_keys):
            key = self.text()
            value = self.value(self.number("I"))
            if value is not None:
                found[key] = value
        architecture = _text(found, "general.architecture")
        if not architecture:
            raise self.fail("it does not name its architecture (general.architecture)")
        context = found.get(f"{architecture}.context_length")
        return Header(
            version=int(version),
            n_tensors=n_tensors,
            architecture=architecture,
            name=_text(found, "general.name"),
            context_length=context if type(context) is int and context > 0 else None,
            chat_template=_text(found, "tokenizer.chat_template"),
            metadata=found,
        )

    def layout(self, header: Header) -> Layout:
        """The tensor table; the header must have been read."""
        metadata_end = self.size - self.left
        alignment = header.metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
            raise self.fail(f"its alignment is {alignment!r}, and it must be a power of 2 up to {MAX_ALIGNMENT}")
        tensors = tuple(self.tensor(alignment) for _ in range(header.n_tensors))
        table_end = self.size - self.left
        data_at = table_end + -table_end % alignment
        for t in tensors:
            if data_at + t.offset + t.size > self.size:
                raise self.fail(f"the tensor {t.name!r:.60} lies outside the file; is it cut short?")
        return Layout(metadata_end, data_at, alignment, tensors)

    def tensor(self, alignment: int) -> Tensor:
        name = self.bytes(self.count("bytes in one text", MAX_STRING))
        n_dims = int(self.number("I"))
        if n_dims > MAX_DIMS:
            raise self.fail(f"the tensor {name!r:.60} has {n_dims} axes; at most {MAX_DIMS} are read")
        shape = tuple(int(self.number("Q")) for _ in range(n_dims))
        kind, offset = int(self.number("I")), int(self.number("Q"))
        if kind not in _BLOCKS:
            raise self.fail(f"the tensor {name!r:.60} is of the unknown type {kind}")
        weights, size = _BLOCKS[kind]
        if math.prod(shape) < 1 or (shape[0] if shape else 1) % weights:
            raise self.fail(f"the tensor {name!r:.60} of the type {kind} cannot have the shape {shape}")
        if offset % alignment:
            raise self.fail(f"the tensor {name!r:.60} is not aligned to {alignment} bytes")
        return Tensor(name, shape, kind, offset, math.prod(shape) // weights * size)

    def bytes(self, size: int) -> bytes:
        data = self.file.read(size) if size <= self.left else b""
        if len(data) < size:
            raise self.fail("it is cut short")
        self.left -= size
        return data

    def skip(self, size: int) -> None:
        if size > self.left:
            raise self.fail("it is cut short")
        self.file.seek(size, os.SEEK_CUR)
        self.left -= size

    def number(self, kind: str) -> Scalar:
        return struct.unpack(f"<{kind}", self.bytes(struct.calcsize(f"<{kind}")))[0]

    def count(self, what: str, limit: int) -> int:
        number = int(self.number("Q"))
        if number > limit:
            raise self.fail(f"it says that it has {number} {what}; at most {limit} are read")
        return number

    def text(self) -> str:
        size = self.count("bytes in one text", MAX_STRING)
        self.kept += size
        if self.kept > MAX_TEXT:
            raise self.fail(f"its texts have more than {MAX_TEXT} bytes")
        return self.bytes(size).decode(errors="replace")

    def value(self, kind: Scalar) -> Scalar | None:
        """The value of a type's number; None for arrays, which are stepped over."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            self.array()
            return None
        if kind not in _SCALARS:
            raise self.fail(f"it has a value of the unknown type {kind}")
        return self.number(_SCALARS[int(kind)])

    def array(self) -> None:
        kind, count = int(self.number("I")), int(self.number("Q"))
        if kind == _STRING:
            if count * 8 > self.left:
                raise self.fail("it is cut short")
            for _ in range(count):
                self.skip(self.count("bytes in one text", MAX_STRING))
        elif kind in _SCALARS:
            self.skip(count * struct.calcsize(f"<{_SCALARS[kind]}"))
        else:
            raise self.fail(f"it has an array of the type {kind}, and only arrays of numbers and texts can be read")


def _text(found: Mapping[str, Scalar], key: str) -> str:
    value = found.get(key, "")
    return value if isinstance(value, str) else ""
