"""Training of the proposal network."""

from dataclasses import replace

import cv2
import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.data.crowds import BACKGROUND, NEITHER  # noqa: E402
from ddfa.errors import DataError  # noqa: E402
from ddfa.images import read_image, write_image  # noqa: E402
from ddfa.train.proposals import (  # noqa: E402
    NETWORK,
    Sheets,
    operating_point,
    proposal_loss,
    train_proposals,
)
from ddfa.train.small_configs import ProposalConfig  # noqa: E402


@pytest.fixture(scope="module")
def config(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("proposals")
    photo = read_image(root / "samples" / "astronaut.jpg")[20:220, 125:325]
    (folder / "photos").mkdir()
    for number in range(30):
        write_image(folder / "photos" / f"{number}.png", cv2.resize(photo, (100 + number, 100 + number)))
    return ProposalConfig(
        photos=(folder / "photos",), output=folder / "run", sheets=6, samples=4, batch_size=2, held_out=6
    )


def test_a_run_leaves_a_network_and_is_resumed(config):
    assert 0 <= train_proposals(config) <= 1
    assert sorted(path.name for path in config.output.iterdir()) == ["checkpoint.pt", "config.yaml", "log.csv", NETWORK]
    session = ort.InferenceSession(config.output / NETWORK)
    (found,) = session.run(None, {"input": np.zeros((1, 1, 64, 176), np.float32)})
    assert found.shape == (1, 1, 8, 22) and np.isfinite(found).all()
    assert 0 <= train_proposals(replace(config, samples=6, resume=True)) <= 1
    with pytest.raises(DataError):
        train_proposals(replace(config, output=config.output.parent / "new", resume=True))


def test_each_face_counts_once():
    cells = torch.full((1, 4, 4), BACKGROUND, dtype=torch.int32)
    cells[0, 0, :3], cells[0, 3, 3], cells[0, 2, 2] = 0, 1, NEITHER
    logits = torch.zeros(1, 4, 4)
    logits[0, 0, :3] = 100  # the large face is found, the small one is missed
    logits[cells == BACKGROUND] = -100
    logits[0, 3, 3] = -10
    assert float(proposal_loss(logits, cells)) == pytest.approx(0.5 * 10 / 2, rel=1e-3)
    logits[0, 3, 3], logits[0, 2, 2] = 100, 100  # what is neither does not count
    assert float(proposal_loss(logits, cells)) == pytest.approx(0, abs=1e-6)


def test_the_threshold_keeps_the_faces():
    class Given(torch.nn.Module):
        def forward(self, x):
            return x[..., ::8, ::8]

    luma, cells = torch.zeros(1, 1, 256, 256, dtype=torch.uint8), torch.full((1, 32, 32), BACKGROUND)
    luma[0, 0, 8, 8], luma[0, 0, 80, 80], luma[0, 0, 160, :128] = 90, 60, 200
    cells[0, 1, 1], cells[0, 10, 10] = 0, 1
    threshold, proposed = operating_point(Given(), Sheets(luma, cells.int(), torch.tensor([20.0, 20.0])), "cpu")
    assert 60 <= threshold < 61 and proposed == pytest.approx(16 / 1022)
