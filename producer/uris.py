"""S3 URIs."""

from schema.errors import ConfigurationError


def parse_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``.

    Raises:
        ConfigurationError: it is none.
    """
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not slash or not key:
        raise ConfigurationError(f"{uri} is no video in object storage: give s3://bucket/key")
    return bucket, key
