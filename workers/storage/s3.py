"""S3, by boto3: the only module that knows it. Its errors leave here as ours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
    ResponseStreamingError,
)

from schema.errors import ConfigurationError, PermanentError, SourceChanged, SourceMissing, StorageUnavailable
from schema.settings import Settings
from workers.storage.port import ObjectInfo
from workers.telemetry.measure import note, spending
from workers.telemetry.meters import CONFLICTS

_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchBucket"})
_EXISTS = frozenset({"412", "PreconditionFailed"})
_REFUSED = frozenset({"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_SKEWED = frozenset({"RequestTimeTooSkewed"})
_MOST_SKEW_S = 300
_PASSING = frozenset({408, 409, 429})
"""A timeout, somebody else writing the same object just now, too many requests."""
_LATE = frozenset({"NoSuchUpload", "RequestTimeout", "IncompleteBody"})
"""Told who was too slow, or asked again: some stores know nothing of an upload once it is complete."""
_PART = 16 << 20
_CONNECTIONS = 32
"""That are kept."""
_BROKEN_OFF = (ResponseStreamingError, IncompleteReadError)
_MORE_TRIES = 3


def connect(settings: Settings, endpoint: str | None) -> Any:
    """A client of the S3 server at ``endpoint``, none being AWS; it signs by version 4."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=settings.s3_secret_access_key,
        config=Config(
            signature_version="s3v4",
            connect_timeout=min(5, settings.s3_timeout_s),
            read_timeout=settings.s3_timeout_s,
            retries={"max_attempts": 5, "mode": "standard"},
            max_pool_connections=_CONNECTIONS,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if endpoint else None,
        ),
    )


class S3Store:
    """The `ObjectStore` of a bucket on S3."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = settings.bucket
        self._client = connect(settings, settings.s3_endpoint)

    def ensure_bucket(self) -> None:
        """Create the bucket unless it is there."""
        with translated(f"bucket {self.bucket}"):
            try:
                self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if code_of(error) not in _MISSING:
                    raise
                self._client.create_bucket(Bucket=self.bucket)

    def allow_browsers(self) -> None:
        """Let pages of any origin use the links that were signed for them: for local servers, which have no others."""
        rule = {
            "AllowedMethods": ["GET", "HEAD", "PUT"],
            "AllowedOrigins": ["*"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"],
        }
        with translated(f"bucket {self.bucket}"):
            self._client.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": [rule]})

    def head(self, key: str, bucket: str | None = None) -> ObjectInfo | None:
        bucket = bucket or self.bucket
        with translated(f"s3://{bucket}/{key}"):
            try:
                found = self._client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return None
                raise
        return ObjectInfo(bucket, key, found["ETag"], found["ContentLength"], found["LastModified"].timestamp())

    def get(self, key: str) -> bytes:
        with spending("fetch"), translated(f"s3://{self.bucket}/{key}"):
            return self._body(Bucket=self.bucket, Key=key)

    def get_or_none(self, key: str) -> bytes | None:
        try:
            return self.get(key)
        except SourceMissing:
            return None

    def get_range(self, source: ObjectInfo, start: int, stop: int) -> bytes:
        with spending("fetch"), translated(f"s3://{source.bucket}/{source.key}"):
            try:
                wanted = {"Bucket": source.bucket, "Key": source.key, "Range": f"bytes={start}-{stop - 1}"}
                body = self._body(stop - start, **wanted, **({"IfMatch": source.etag} if source.etag else {}))
            except ClientError as error:
                if code_of(error) in _EXISTS:
                    raise SourceChanged(
                        f"s3://{source.bucket}/{source.key} was overwritten after the job had been accepted"
                    ) from error
                raise
        if len(body) != stop - start:
            raise StorageUnavailable(f"s3://{source.bucket}/{source.key} gave {len(body)} bytes for {start}..{stop}")
        return body

    def put_new(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> bool:
        with spending("write"), translated(f"s3://{self.bucket}/{key}"):
            return self._conditional(
                lambda: self._client.put_object(
                    Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*"
                )
            )

    def put_new_file(self, key: str, path: Path, content_type: str, bucket: str | None = None) -> bool:
        bucket = bucket or self.bucket
        with spending("write"), translated(f"s3://{bucket}/{key}"):
            if path.stat().st_size <= _PART:
                with path.open("rb") as body:
                    return self._conditional(
                        lambda: self._client.put_object(
                            Bucket=bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*"
                        )
                    )
            return self._conditional(lambda: self._put_parts(bucket, key, path, content_type))

    def download(self, key: str, path: Path) -> None:
        with spending("fetch"), translated(f"s3://{self.bucket}/{key}"):
            config = TransferConfig(max_concurrency=4)
            self._client.download_file(self.bucket, key, str(path), Config=config)

    def objects(self, prefix: str, bucket: str | None = None) -> Iterator[ObjectInfo]:
        bucket = bucket or self.bucket
        with translated(f"s3://{bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for page in pages:
                for found in page.get("Contents", []):
                    modified_s = found["LastModified"].timestamp()
                    yield ObjectInfo(bucket, found["Key"], found["ETag"], found["Size"], modified_s)

    def folders(self, prefix: str) -> Iterator[str]:
        with translated(f"s3://{self.bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                for found in page.get("CommonPrefixes", []):
                    yield found["Prefix"].removeprefix(prefix).rstrip("/")

    def abort_uploads(self, prefix: str, before_s: float) -> int:
        aborted = 0
        with translated(f"s3://{self.bucket}/{prefix}"):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            for found in [upload for page in pages for upload in page.get("Uploads", [])]:
                if found["Initiated"].timestamp() < before_s:
                    name = {"Bucket": self.bucket, "Key": found["Key"], "UploadId": found["UploadId"]}
                    self._client.abort_multipart_upload(**name)
                    aborted += 1
        return aborted

    def delete(self, keys: list[str]) -> None:
        with translated(f"s3://{self.bucket}"):
            for first in range(0, len(keys), 1000):
                batch = [{"Key": key} for key in keys[first : first + 1000]]
                answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
                if left := answer.get("Errors"):
                    first_left = f"{left[0].get('Key')}: {left[0].get('Code')} {left[0].get('Message')}"
                    raise StorageUnavailable(f"{len(left)} of {len(batch)} objects were not deleted; {first_left}")

    def _body(self, length: int | None = None, **request: str) -> bytes:
        """The bytes of an object; botocore asks again when a request fails, but not when a body is too short."""
        for _ in range(_MORE_TRIES):
            with suppress(*_BROKEN_OFF):
                body = bytes(self._client.get_object(**request)["Body"].read())
                if length in (None, len(body)):
                    return body
        return bytes(self._client.get_object(**request)["Body"].read())

    def _conditional(self, write: Any) -> bool:
        """Run a conditional write; false when somebody else's object is there already."""
        try:
            write()
        except ClientError as error:
            if code_of(error) in _EXISTS:
                note(CONFLICTS, 1)
                return False
            raise
        return True

    def _put_parts(self, bucket: str, key: str, path: Path, content_type: str) -> None:
        """One multipart upload that becomes visible, or not, in its last request."""
        upload = self._client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)
        name = {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}
        try:
            parts = []
            with path.open("rb") as body:
                for number, part in enumerate(iter(lambda: body.read(_PART), b""), start=1):
                    answer = self._client.upload_part(**name, PartNumber=number, Body=part)
                    parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            self._client.complete_multipart_upload(**name, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        except BaseException:
            with suppress(ClientError, BotoCoreError):  # the sweeper gives up what is left
                self._client.abort_multipart_upload(**name)
            raise


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the vendor's errors about ``what`` into ours."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in _MISSING:
            raise SourceMissing(f"there is no {what}") from error
        if code in _REFUSED | _SKEWED and abs(off_s := _clock_off_s(error)) > _MOST_SKEW_S:
            raise StorageUnavailable(f"this machine's clock is {off_s:+.0f} s off: {what} is refused") from error
        if code in _REFUSED:
            raise ConfigurationError(f"the object store refused access to {what} ({code})") from error
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
        if 400 <= status < 500 and status not in _PASSING and code not in _LATE:
            raise PermanentError(f"the object store refused {what} ({code})") from error
        raise StorageUnavailable(f"the object store failed on {what} ({code})") from error
    except ParamValidationError as error:
        raise PermanentError(f"{what} is no name of a bucket or an object: {error}") from error
    except (BotoCoreError, HTTPClientError, OSError) as error:
        raise StorageUnavailable(f"the object store did not answer for {what}: {type(error).__name__}") from error


def _clock_off_s(error: ClientError) -> float:
    """How much later it is by this machine's clock than by the object store's, seconds."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    with suppress(KeyError, ValueError):
        return time.time() - parsedate_to_datetime(headers["date"]).timestamp()
    return 0.0


def code_of(error: ClientError) -> str:
    """The vendor's word for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))
