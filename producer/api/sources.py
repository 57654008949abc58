"""Which objects a token may name as sources of jobs: its own uploads, and what the fleet's settings open to all."""

from producer.api.problems import Problem
from producer.api.tokens import Token
from producer.uris import parse_uri
from schema.names import OWN, UPLOADS
from schema.pictures import SUFFIX
from schema.settings import Settings


def uploads_of(token: Token) -> str:
    """Below this key lies what a token has uploaded; for an admin everybody's uploads."""
    return UPLOADS if token.may("admin") else f"{UPLOADS}{token.name}/"


def check_source(uri: str, token: Token, settings: Settings) -> None:
    """Refuse a source that ``token`` may not name.

    Raises:
        Problem: it is no plain S3 URI (422), or lies elsewhere (403).
    """
    bucket, key = parse_uri(uri)
    if any(part in ("", ".", "..") for part in key.removesuffix("/").split("/")) or not key.isprintable():
        raise Problem(422, "the key of a source has no empty part, no '.' and no '..' between slashes")
    if key.endswith(SUFFIX):
        raise Problem(403, "a list of pictures is made by the fleet: name the prefix that they lie below")
    mine = bucket == settings.bucket and key.startswith(uploads_of(token))
    if not mine and not _opened(bucket, key, settings):
        raise Problem(
            403, f"the token {token.name} may name its own uploads, s3://{settings.bucket}/{uploads_of(token)}…"
        )


def _opened(bucket: str, key: str, settings: Settings) -> bool:
    """Whether `api_buckets` opens an object to all; what the fleet keeps in its own bucket is never open."""
    if bucket == settings.bucket and key.startswith(OWN):
        return False
    entries = [entry.strip().partition("/") for entry in settings.api_buckets.split(",")]
    return any(name == bucket and key.startswith(prefix) for name, _, prefix in entries)
