import pytest

from ddfa.head.model import HeadModel


@pytest.fixture(scope="session")
def head():
    return HeadModel.load()


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Small tensors: several threads would mostly wait for each other."""
    torch = pytest.importorskip("torch", reason="needs the extra `train`")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
