"""Tokens: shown once, kept as digests, valid until they are revoked."""

import hashlib
import json
import os
import stat

import pytest

from producer.api.tokens import TokenFile
from schema.errors import ConfigurationError
from tests.support.command import posefleet


@pytest.fixture
def tokens(tmp_path):
    return TokenFile(tmp_path / "new" / "tokens.json")


def test_a_token_is_found_by_its_secret_and_only_its_digest_is_kept(tokens):
    secret = tokens.create("lab", ["read", "read", "submit"])
    assert secret.startswith("pf_")
    assert len(secret) > 40
    found = tokens.find(secret)
    assert (found.name, found.scopes) == ("lab", ("read", "submit"))
    text = tokens.path.read_text()
    assert secret not in text
    assert hashlib.sha256(secret.encode()).hexdigest() in text
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("secret", ["", "pf_", "lab", "pf_" + "a" * 43, "ä" * 300])
def test_anything_else_finds_none(tokens, secret):
    tokens.create("lab", ["read"])
    assert tokens.find(secret) is None


def test_what_another_process_writes_counts_at_once(tokens):
    other = TokenFile(tokens.path)
    assert tokens.find("x") is None
    secret = other.create("lab", ["read"])
    assert tokens.find(secret).name == "lab"
    other.revoke("lab")
    assert tokens.find(secret) is None


def test_admin_may_do_everything_and_others_what_they_were_given(tokens):
    admin, reader = tokens.find(tokens.create("a", ["admin"])), tokens.find(tokens.create("b", ["read"]))
    assert admin.may("manage")
    assert reader.may("read")
    assert not reader.may("manage")


def test_a_name_is_used_once_unless_it_is_replaced(tokens):
    first = tokens.create("lab", ["read"])
    with pytest.raises(ConfigurationError, match="posefleet token revoke lab"):
        tokens.create("lab", ["read"])
    second = tokens.create("lab", ["read"], replace=True)
    assert tokens.find(first) is None
    assert tokens.find(second) is not None


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "a b", "a" * 65, "ä"])
def test_names_are_safe_in_keys(tokens, name):
    with pytest.raises(ConfigurationError, match="a name has"):
        tokens.create(name, ["read"])


def test_an_unknown_scope_is_refused(tokens):
    with pytest.raises(ConfigurationError, match="scopes are read, submit, manage, events, admin"):
        tokens.create("lab", ["write"])


def test_a_name_that_is_not_there_cannot_be_revoked(tokens):
    with pytest.raises(ConfigurationError, match="there is no token lab"):
        tokens.revoke("lab")


def test_a_damaged_file_lets_nobody_in(tokens, caplog):
    secret = tokens.create("lab", ["admin"])
    tokens.path.write_text("{")
    assert tokens.find(secret) is None
    assert "no token is valid" in caplog.text
    with pytest.raises(ConfigurationError, match="is no file of tokens"):
        tokens.all()


def test_the_command_line_makes_lists_and_revokes_tokens(tmp_path):
    where = {"POSEFLEET_API_TOKENS": str(tmp_path / "t.json")}
    secret = posefleet("token", "create", "lab", "--scope", "read", "--scope", "events", **where).stdout.strip()
    assert TokenFile(tmp_path / "t.json").find(secret).scopes == ("read", "events")
    listed = posefleet("token", "list", **where).stdout
    assert listed.split()[0] == "lab"
    assert listed.split()[-2:] == ["read", "events"]
    assert secret not in listed
    again = posefleet("token", "create", "lab", **where)
    assert again.returncode == 2
    assert posefleet("token", "revoke", "lab", **where).returncode == 0
    assert json.loads((tmp_path / "t.json").read_text()) == {"tokens": []}
    assert [name for name in os.listdir(tmp_path) if not name.endswith(".lock")] == ["t.json"]
