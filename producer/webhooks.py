"""Webhooks: who asked for it is told that a job has ended."""

from urllib.parse import urlsplit

from schema.errors import ConfigurationError
from schema.settings import Settings


def check_webhook(url: str, settings: Settings) -> None:
    """Refuse a URL that would never be told.

    Raises:
        ConfigurationError: it is none, or there is no secret to sign with; the message says which.
    """
    if settings.webhook_secret is None:
        raise ConfigurationError("webhook: this fleet has no POSEFLEET_WEBHOOK_SECRET to sign with")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.username is not None or not url.isascii() or not url.isprintable():
        raise ConfigurationError("webhook: give https://host[:port]/path")
    known = trusted(host, settings)
    if parts.scheme != "https" and not (known and parts.scheme == "http"):
        raise ConfigurationError("webhook: give an https URL; plain HTTP is for hosts of POSEFLEET_WEBHOOK_HOSTS")


def trusted(host: str, settings: Settings) -> bool:
    """Whether `webhook_hosts` names the host."""
    return host in [each.strip() for each in settings.webhook_hosts.split(",")]
