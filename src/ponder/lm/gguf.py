"""What a GGUF file says of the model inside, read without loading it. Only the metadata is read; arrays are stepped over.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ponder.core.errors import InputError

Scalar = int | float | bool | str

MAX_KEYS = 4096
MAX_TENSORS = 1_000_000
MAX_STRING = 1 << 20
MAX_TEXT = 16 << 20
"""Limits that real files stay far below: bytes of one text, and of all texts that are kept."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


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


def read_header(path: str | Path) -> Header:
    """The header of a GGUF file.

    Raises:
        InputError: the file cannot be read, is no GGUF of version 2 or 3, is cut short or has impossible counts.
    """
    try:
        with open(path, "rb") as file:
            return _Reader(file, Path(path)).header()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


class _Reader:
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.left = os.fstat(file.fileno()).st_size
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
