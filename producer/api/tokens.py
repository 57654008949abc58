"""The file of tokens: names, scopes and digests. A token itself is shown once and kept nowhere."""

import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schema.errors import ConfigurationError

log = logging.getLogger("posefleet")

Scope = Literal["read", "submit", "manage", "events", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_PREFIX = "pf_"


class Token(BaseModel):
    """What is kept of a token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """The submitter of its jobs; safe in object keys."""
    sha256: str
    scopes: tuple[Scope, ...]
    created_s: float
    """Seconds since 1970."""

    def may(self, scope: Scope) -> bool:
        """Whether it has ``scope``; `admin` has them all."""
        return scope in self.scopes or "admin" in self.scopes


class _Stored(BaseModel):
    tokens: tuple[Token, ...] = ()


class TokenFile:
    """The tokens of one file, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, ...] | None = None
        self._tokens: tuple[Token, ...] = ()

    def find(self, secret: str) -> Token | None:
        """The token whose secret this is; all digests are compared, each in constant time."""
        digest = _digest(secret)
        found = None
        for token in self._current():
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def holds(self, token: Token) -> bool:
        """Whether a token is still valid."""
        return token in self._current()

    def all(self) -> tuple[Token, ...]:
        """All tokens; none when there is no file.

        Raises:
            ConfigurationError: the file holds something else.
        """
        try:
            return _Stored.model_validate_json(self.path.read_bytes()).tokens
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            raise ConfigurationError(f"{self.path} is no file of tokens: 'posefleet token create' makes one") from error

    def create(self, name: str, scopes: Iterable[str], *, replace: bool = False) -> str:
        """Make a token; its secret.

        Raises:
            ConfigurationError: the name is taken (unless ``replace``) or none, or there is no such scope.
        """
        secret = _PREFIX + secrets.token_urlsafe(32)
        try:
            facts = {
                "name": name,
                "sha256": _digest(secret),
                "scopes": [*dict.fromkeys(scopes)],
                "created_s": time.time(),
            }
            token = Token.model_validate(facts)
        except ValidationError as error:
            raise ConfigurationError(
                f"token {name!r}: a name has up to 64 letters, digits, '.', '_' and '-'; scopes are {', '.join(SCOPES)}"
            ) from error
        with self._locked():
            others = [each for each in self.all() if each.name != name]
            if len(others) < len(self.all()) and not replace:
                raise ConfigurationError(f"there is a token {name}: 'posefleet token revoke {name}' ends it")
            self._write((*others, token))
        return secret

    def revoke(self, name: str) -> None:
        """End a token.

        Raises:
            ConfigurationError: there is none of this name.
        """
        with self._locked():
            others = tuple(each for each in self.all() if each.name != name)
            if len(others) == len(self.all()):
                raise ConfigurationError(f"there is no token {name}: 'posefleet token list' names them")
            self._write(others)

    def _current(self) -> tuple[Token, ...]:
        """All tokens, read again if the file is another one than before; none while it cannot be read."""
        now: tuple[int, ...] = ()
        with suppress(OSError):
            facts = self.path.stat()
            now = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
        if now != self._seen:
            self._seen = now
            try:
                self._tokens = self.all()
            except ConfigurationError as error:
                log.error("no token is valid: %s", error)
                self._tokens = ()
        return self._tokens

    def _write(self, tokens: tuple[Token, ...]) -> None:
        text = json.dumps(_Stored(tokens=tokens).model_dump(mode="json"), indent=1)
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        beside.replace(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one process writes at a time."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
