"""Requests made up from the service's own description: every answer is one that the description allows."""

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="needs the extra `dev`")

import hypothesis  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

from ddfa.serve.app import create_app  # noqa: E402
from ddfa.serve.settings import ServeSettings  # noqa: E402

schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(ServeSettings(workers=1, hosts=())))


@schema.parametrize()
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)
def test_answers_are_as_described(case):
    # No schema can say which bytes are a picture: random ones are refused, and rightly so.
    case.call_and_validate(excluded_checks=[positive_data_acceptance])
