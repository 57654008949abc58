"""Links to object storage for those who have no key to it: uploads in parts, and downloads."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from botocore.exceptions import ClientError

from schema.errors import ConfigurationError, SourceMissing
from schema.settings import Settings
from workers.storage.s3 import code_of, connect, translated

_LONGEST_S, _SHORTEST_S = 3600, 600
_UNKNOWN = frozenset({"NoSuchUpload"})
_WRONG_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML", "InvalidRequest"})


@dataclass(frozen=True)
class PartOfUpload:
    """A part that is there, as the store has confirmed it."""

    number: int
    etag: str


class Signed:
    """Signs with the fleet's own key."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = settings.bucket
        self.expires_s = _LONGEST_S if settings.s3_access_key_id else _SHORTEST_S
        """What is signed is good for so long: less with boto3's credentials, as links end with those, and botocore
        takes new ones ten minutes before."""
        self._client = connect(settings, settings.s3_endpoint)
        self._public = connect(settings, settings.s3_public_endpoint or settings.s3_endpoint)

    def begin(self, key: str) -> str:
        """Begin an upload in parts; its id."""
        with translated(f"s3://{self.bucket}/{key}"):
            return str(self._client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"])

    def part_url(self, key: str, upload_id: str, number: int) -> str:
        """Where to PUT one part."""
        name = {"Bucket": self.bucket, "Key": key, "UploadId": upload_id, "PartNumber": number}
        return str(self._public.generate_presigned_url("upload_part", Params=name, ExpiresIn=self.expires_s))

    def complete(self, key: str, upload_id: str, parts: Iterable[PartOfUpload]) -> None:
        """Make an object of parts.

        Raises:
            ConfigurationError: a part is missing or another one than was uploaded.
            SourceMissing: there is no such upload.
            StorageUnavailable
        """
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        name = {"Bucket": self.bucket, "Key": key, "UploadId": upload_id}
        with translated(f"s3://{self.bucket}/{key}"):
            try:
                self._client.complete_multipart_upload(**name, MultipartUpload={"Parts": listed})
            except ClientError as error:
                if code_of(error) in _UNKNOWN:
                    raise SourceMissing("there is no such upload under way") from error
                if code_of(error) in _WRONG_PARTS:
                    raise ConfigurationError("these are not the parts that were uploaded") from error
                raise

    def abort(self, key: str, upload_id: str) -> None:
        """Give an upload up; one that is not under way is no error."""
        with translated(f"s3://{self.bucket}/{key}"), suppress(self._client.exceptions.NoSuchUpload):
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)

    def get_url(self, bucket: str, key: str, name: str, media_type: str) -> str:
        """Where to GET an object, as a download called ``name``."""
        asked = {
            "Bucket": bucket,
            "Key": key,
            "ResponseContentType": media_type,
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        }
        return str(self._public.generate_presigned_url("get_object", Params=asked, ExpiresIn=self.expires_s))

    def origin(self, bucket: str) -> str:
        """Scheme and host of links to a bucket."""
        parts = urlsplit(self.get_url(bucket, "any", "any", "any"))
        return f"{parts.scheme}://{parts.netloc}"
