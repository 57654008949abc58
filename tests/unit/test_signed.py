"""How long links are good."""

from schema.settings import Settings
from workers.storage.signed import Signed


def test_links_that_a_role_signs_end_no_later_than_they_say():
    own = Settings(s3_access_key_id="id", s3_secret_access_key="secret")
    assert Signed(own).expires_s == 3600
    assert Signed(Settings()).expires_s == 600
    url = Signed(own).get_url("b", "k", "k", "video/mp4")
    assert "X-Amz-Expires=3600" in url
