"""A queue of SQS, by boto3. Its errors leave here as ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from schema.errors import ConfigurationError, QueueUnavailable
from schema.settings import Settings

LONGEST_WAIT_S = 20
"""Seconds that SQS lets a request wait for messages, at most."""
_AT_ONCE = 10
"""The most messages that SQS gives at once."""


@dataclass(frozen=True)
class Message:
    """One delivery of a message."""

    message_id: str
    body: str
    receipt: str
    """Names the delivery when it is deleted."""


class MessageQueue:
    """The queue of one URL. What is received comes again unless it is deleted within the queue's visibility timeout."""

    def __init__(self, url: str, settings: Settings) -> None:
        """Connects to nothing yet.

        Raises:
            ConfigurationError: ``url`` is no address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.strip("/"):
            raise ConfigurationError(f"{url} is no queue: give the URL of an SQS queue")
        region = re.search(r"\bsqs\.([a-z0-9-]+)\.", parts.hostname)
        self.url = url
        self._client: Any = boto3.session.Session().client(
            "sqs",
            endpoint_url=f"{parts.scheme}://{parts.netloc}",
            region_name=region[1] if region else settings.s3_region,
            aws_access_key_id=settings.s3_access_key_id,
            aws_secret_access_key=settings.s3_secret_access_key,
            config=Config(
                connect_timeout=5, read_timeout=LONGEST_WAIT_S + 10, retries={"max_attempts": 2, "mode": "standard"}
            ),
        )

    def receive(self, wait_s: int = LONGEST_WAIT_S) -> list[Message]:
        """Up to ten messages, as soon as there is one; none after ``wait_s``.

        Raises:
            ConfigurationError: there is no such queue, or it refuses these credentials.
            QueueUnavailable
        """
        with self._translated():
            answer = self._client.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=wait_s
            )
        found = answer.get("Messages", [])
        return [Message(each["MessageId"], each["Body"], each["ReceiptHandle"]) for each in found]

    def delete(self, messages: list[Message]) -> None:
        """Delete what was received; what cannot be deleted comes again.

        Raises:
            ConfigurationError, QueueUnavailable
        """
        entries = [{"Id": str(n), "ReceiptHandle": each.receipt} for n, each in enumerate(messages)]
        if entries:
            with self._translated():
                self._client.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def ping(self) -> None:
        """Raises `ConfigurationError` or `QueueUnavailable` unless the queue answers."""
        with self._translated():
            self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
            if 400 <= status < 500 and status != 429 and "Throttl" not in code:
                raise ConfigurationError(f"SQS refused {self.url} ({code})") from error
            raise QueueUnavailable(f"SQS failed on {self.url} ({code})") from error
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise QueueUnavailable(f"SQS did not answer for {self.url}: {type(error).__name__}") from error
