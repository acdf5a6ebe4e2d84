# ruff: noqa: RUF009  (an option is a field)
"""The gateway's configuration: one frozen dataclass a table of the TOML file, one sentence an option."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ponder.core.budget import Budget, Price
from ponder.core.errors import InputError, PonderError
from ponder.lm.load import DEFAULT, check
from ponder.serve.hosts import is_loopback
from ponder.serve.limits import parse_limits
from ponder.serve.options import option, read


@dataclass(frozen=True)
class Server:
    """Where the gateway listens and what it reads."""

    host: str = option("127.0.0.1", "The address to listen on; the default is this machine only.")
    port: int = option(8080, "The port to listen on.", least=0)
    open: bool = option(False, "Allow an address that other machines reach although no keys are asked for.")
    hosts: tuple[str, ...] = option(
        (), "Names by which a gateway without keys may be called, beside localhost, as ponder.example.org behind a proxy."
    )
    cors: tuple[str, ...] = option(
        (), "Origins whose pages may call the gateway from a browser, as https://chat.example.org; none by default."
    )
    max_body: int = option(4_000_000, "The longest request body, in bytes.", least=1)
    keepalive: float = option(
        10.0, "Seconds of silence after which a streamed answer sends a comment line, so that no proxy gives up.", least=0.1
    )
    drain: float = option(30.0, "Seconds that running requests may take to finish after SIGTERM.", least=0)


@dataclass(frozen=True)
class Model:
    """One model that callers may name."""

    engine: str = option("", "What answers, in one of the forms of `ponder models`.")
    upstreams: tuple[str, ...] = option(
        (), "Several servers of the same model, each as URL#MODEL, instead of `engine`; one that fails is left alone until it is back."
    )
    key_env: str = option("", "The environment variable that holds the upstream's key.")
    key_file: str = option("", "The file that holds the upstream's key.")
    price_in: float = option(0.0, "Dollars per million prompt tokens, for bills and quotas in money.", least=0)
    price_out: float = option(0.0, "Dollars per million generated tokens.", least=0)
    concurrency: int = option(32, "Requests that an upstream gets at once.", least=1)
    timeout: float = option(120.0, "Seconds that one request to an upstream may take.", least=0.1)
    retries: int = option(5, "How often a failed request to an upstream is repeated.", least=0)
    check: float = option(5.0, "Seconds between health checks of an upstream that has failed.", least=0.1)

    def __post_init__(self) -> None:
        if bool(self.engine) == bool(self.upstreams):
            raise InputError("a model needs either engine or upstreams")
        for name in (self.engine, *self.upstreams):
            if name:
                check(name)
        if any(not name.startswith(("http://", "https://")) for name in self.upstreams):
            raise InputError(f"upstreams are written URL#MODEL, not {self.upstreams!r}")
        if self.key_env and self.key_file:
            raise InputError("a key comes from key_env or from key_file, not both")

    @property
    def price(self) -> Price | None:
        """The price, None where the file gives none."""
        return Price(self.price_in, self.price_out) if self.price_in or self.price_out else None

    @property
    def key(self) -> str | None:
        """The upstream's key, read now; None where none is configured, and then no key is sent.

        Raises:
            InputError: the variable is not set, or the file cannot be read.
        """
        return secret(self.key_env, self.key_file)


@dataclass(frozen=True)
class Alias:
    """A further name for a model with a method."""

    model: str = option("", "The model's name in this file.")
    method: str = option("", "The method's text; the empty text is a plain completion.")
    budget: str = option("", "What one request may spend where it does not say itself, as in '4k tokens, 30s'.")

    def __post_init__(self) -> None:
        Budget.parse(self.budget)


@dataclass(frozen=True)
class Keys:
    """Who may call."""

    file: str = option("", "The SQLite file with the keys that `ponder keys` makes; once it is named, every call needs a key.")
    limits: str = option("", "What a key without limits of its own may use, as in '60 requests per minute, 1M tokens per day, $5 per day'.")

    def __post_init__(self) -> None:
        parse_limits(self.limits)


@dataclass(frozen=True)
class Caps:
    """What one request may ask for."""

    budget: str = option("100k tokens, 300 s", "The most that one request may spend, whatever it asks for; the empty text is no limit.")
    max_tokens: int = option(8192, "The largest max_tokens.", least=1)
    n: int = option(64, "The largest n.", least=1)
    deadline: float = option(600.0, "Seconds after which a request is answered with what there is.", least=0.1)

    def __post_init__(self) -> None:
        Budget.parse(self.budget)


@dataclass(frozen=True)
class Queue:
    """How requests wait for each other."""

    running: int = option(64, "Requests that run at once.", least=1)
    waiting: int = option(1024, "Requests that wait at most; when more come, the key with the most of them is told to come back.", least=0)
    patience: float = option(60.0, "Seconds that a request waits before it is told to come back.", least=0)


@dataclass(frozen=True)
class Ledger:
    """What is written down of each request."""

    file: str = option("", "The SQLite file with a line a request; the empty text keeps no ledger.")
    pending: int = option(
        10_000, "Lines kept in memory while the file cannot be written; beyond that, lines of the same kind are added up.", least=1
    )
    prompts: bool = option(False, "Also write what was asked.")


@dataclass(frozen=True)
class Pages:
    """What a browser sees."""

    page: bool = option(True, "Serve the page at /.")
    papers: bool = option(True, "Serve the papers at /papers.")
    runs: str = option("", "The folder of past runs that the page shows; the empty text shows none.")
    reproduce: bool = option(True, "Offer a button that runs a paper's quick reproduction here; never offered where keys are asked for.")
    reports: str = option("", "The folder of the papers' reports; the empty text is the folder reports of PONDER_HOME.")
    encoder: str = option("", "The folder of a sentence encoder for searching papers by meaning; the empty text searches by words.")


@dataclass(frozen=True)
class Digest:
    """The mail about new verdicts and entries. The mail server's password is read from PONDER_SMTP_PASSWORD."""

    url: str = option(
        "", "Where the gateway is reached from outside, for links in mail, as https://ponder.example.org; without it nobody can subscribe."
    )
    smtp: str = option("", "The mail server, as smtps://USER@HOST:PORT; without it nobody can subscribe.")
    sender: str = option("", "The address that mail comes from.")


def _models() -> dict[str, Model]:
    return {DEFAULT: Model(engine=DEFAULT)}


@dataclass(frozen=True)
class Config:
    """Everything that can be configured; `Config()` serves the embedded model on this machine, without keys."""

    server: Server = option(Server, "Where the gateway listens and what it reads.")
    models: dict[str, Model] = option(_models, "The models that callers may name, a table each.")
    aliases: dict[str, Alias] = option(dict, "Further names, each for a model with a method.")
    keys: Keys = option(Keys, "Who may call.")
    caps: Caps = option(Caps, "What one request may ask for.")
    queue: Queue = option(Queue, "How requests wait for each other.")
    ledger: Ledger = option(Ledger, "What is written down of each request.")
    pages: Pages = option(Pages, "What a browser sees.")
    digest: Digest = option(Digest, "The mail about new verdicts and entries.")

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError("at least one model is needed")
        for name, alias in self.aliases.items():
            if name in self.models or alias.model not in self.models:
                raise InputError(f"the alias {name!r} must have a name of its own and stand for one of {', '.join(self.models)}")
        if not (is_loopback(self.server.host) or self.keys.file or self.server.open):
            raise InputError(
                f"{self.server.host} can be reached from other machines, and no keys are asked for: "
                "name a keys.file, or say server.open = true"
            )


def load(path: str | Path) -> Config:
    """The configuration in a TOML file.

    Raises:
        InputError: the file is no TOML, or an option in it is unknown or cannot be used.
        PonderError: the file cannot be read.
    """
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML file: {error}") from None
    except OSError as error:
        raise PonderError(f"the configuration {path} cannot be read: {error.strerror}") from None
    try:
        return read(Config, data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def secret(variable: str, file: str) -> str | None:
    """A secret from an environment variable or a file; None where neither is named. No message quotes it.

    Raises:
        InputError: the variable is not set, or the file cannot be read.
    """
    if variable:
        if not os.environ.get(variable):
            raise InputError(f"the environment variable {variable} is not set")
        return os.environ[variable].strip()
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the secret in {file} cannot be read: {type(error).__name__}") from None
    return None
