"""What a worker makes of the object store's refusals."""

import time
from email.utils import formatdate

import pytest
from botocore.exceptions import ClientError

from schema.errors import ConfigurationError, PermanentError, StorageUnavailable
from schema.settings import Settings
from workers.storage.s3 import S3Store, translated


def refusal(code: str, status: int, off_s: float) -> ClientError:
    """An answer by a store whose clock is ``off_s`` behind ours."""
    headers = {"date": formatdate(time.time() - off_s, usegmt=True)}
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "HeadObject")


@pytest.mark.parametrize("code", ["403", "RequestTimeTooSkewed", "SignatureDoesNotMatch"])
@pytest.mark.parametrize("off_s", [3600, -3600])
def test_a_wrong_clock_is_for_another_worker_to_make_good(code, off_s):
    with pytest.raises(StorageUnavailable, match="clock is"), translated("s3://b/k"):
        raise refusal(code, 403, off_s)


def test_wrong_credentials_are_a_matter_of_configuration():
    with pytest.raises(ConfigurationError, match="refused access"), translated("s3://b/k"):
        raise refusal("403", 403, 0)


def test_objects_that_are_left_when_others_were_deleted_are_an_error(monkeypatch):
    class Client:
        def delete_objects(self, **_):
            return {"Errors": [{"Key": "a", "Code": "InternalError", "Message": "try again"}]}

    store = S3Store(Settings())
    monkeypatch.setattr(store, "_client", Client())
    with pytest.raises(StorageUnavailable, match="1 of 2 objects were not deleted; a: InternalError"):
        store.delete(["a", "b"])


@pytest.mark.parametrize(("code", "status"), [("NoSuchUpload", 404), ("RequestTimeout", 400), ("IncompleteBody", 400)])
def test_who_was_too_slow_tries_again(code, status):
    with pytest.raises(StorageUnavailable, match=code), translated("s3://b/k"):
        raise refusal(code, status, 0)


def test_an_upload_that_was_complete_before_its_answer_was_lost_is_found_by_the_next_try(tmp_path):
    class Client:
        """Commits the upload, and knows it no more when it is asked again."""

        stored = False

        def create_multipart_upload(self, **_):
            return {"UploadId": "u"}

        def upload_part(self, **_):
            return {"ETag": "e"}

        def complete_multipart_upload(self, **_):
            error = refusal("PreconditionFailed", 412, 0) if self.stored else refusal("NoSuchUpload", 404, 0)
            self.stored = True
            raise error

        def abort_multipart_upload(self, **_):
            raise refusal("NoSuchUpload", 404, 0)

    store = S3Store(Settings())
    store._client = Client()
    path = tmp_path / "long.mp4"
    path.write_bytes(bytes((16 << 20) + 1))
    with pytest.raises(StorageUnavailable, match="NoSuchUpload"):
        store.put_new_file("k", path, "video/mp4")
    assert not store.put_new_file("k", path, "video/mp4")


def test_other_refusals_are_for_good_whatever_the_clock_says():
    with pytest.raises(PermanentError, match="refused"), translated("s3://b/k"):
        raise refusal("InvalidRequest", 400, 3600)
