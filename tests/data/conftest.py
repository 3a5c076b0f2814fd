import pytest

from ddfa.head.model import HeadModel


@pytest.fixture(scope="session")
def head():
    return HeadModel.load()
