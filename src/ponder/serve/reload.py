"""A configuration file that changes while the gateway runs."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ponder.core.errors import InputError, PonderError
from ponder.serve.config import Config, load

log = logging.getLogger("ponder.serve")

_EVERY = 2.0


class Reloader:
    """Reads the file again on SIGHUP and when it changes. A file that cannot be used changes nothing, and the log says why.

    Args:
        path: the file.
        apply: takes a new configuration over; what it raises means that it did not.

    Attributes:
        config: the configuration in force.
        trouble: why the newest file is not in force, "" if it is.
    """

    def __init__(self, path: str | Path, config: Config, apply: Callable[[Config], None]) -> None:
        self.path, self.config, self.trouble, self._apply = Path(path), config, "", apply
        self._seen = self._stamp()

    def reload(self) -> bool:
        """Read the file now; whether it is in force."""
        self._seen = self._stamp()
        try:
            fresh = load(self.path)
            if self.config.keys.file and not fresh.keys.file:
                # An editor may empty a file before it writes it, and an empty file asks nobody for a key.
                raise InputError(f"{self.path} names no keys.file; keys are given up by a restart only")
            self._apply(fresh)
        except PonderError as error:
            self.trouble = str(error)
            log.error("the old configuration stays in force: %s", error)
            return False
        if (fresh.server, fresh.ledger.file) != (self.config.server, self.config.ledger.file):
            log.warning("changes of [server] and of ledger.file count after a restart")
        self.config, self.trouble = fresh, ""
        log.info("%s is in force", self.path)
        return True

    def look(self) -> None:
        """Read the file if it has changed."""
        if self._stamp() != self._seen:
            self.reload()

    async def watch(self) -> None:
        """Look every two seconds and on SIGHUP, until cancelled."""
        loop = asyncio.get_running_loop()
        # Only the main thread's loop may handle signals, and Windows has no SIGHUP.
        with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        while True:
            await asyncio.sleep(_EVERY)
            self.look()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size
