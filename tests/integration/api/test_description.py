"""Schemathesis against the API: no answer is a mistake of the server, none is undocumented."""

import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from producer.api.app import make_app
from producer.api.tokens import TokenFile
from producer.fleet import Fleet

EXAMPLES = 30
RULED = {"POST /v1/uploads", "POST /v1/jobs"}
"""Have rules that a schema cannot tell: what options fit each other, how large a source may be."""
RULES = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def described(quiet_fleet):
    fleet = Fleet(quiet_fleet.settings.model_copy(update={"api_requests_per_s": 10_000.0}))
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(fleet))


@pytest.fixture(scope="module")
def headers(quiet_fleet):
    scopes = ("read", "submit", "manage", "events")
    secret = TokenFile(quiet_fleet.settings.tokens_file).create("schema", scopes, replace=True)
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_described(described, headers, mode):
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) >= 17
    found = [said for operation in operations if (said := failures(operation, headers, mode))]
    assert not found, "\n\n".join(found)


def failures(operation, headers, mode) -> str:
    """What is wrong with an operation. Parameters that nobody knows are passed over, and a token is always sent."""
    excluded = [positive_data_acceptance] if operation.label in RULED else []
    if operation.method == "get":
        excluded.append(negative_data_rejection)

    @RULES
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate(headers=headers, excluded_checks=excluded)

    try:
        ask()
    except BaseExceptionGroup as error:
        return f"{operation.label}: {[str(each) for each in error.exceptions]}"
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE
    return ""
