"""Two processes on one machine, started as a user starts them."""

import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

# Each process keeps its own network, to be compared.
SCRIPT = """
import sys
from pathlib import Path

import torch

from ddfa.train import state
from ddfa.train.config import LossWeights, TrainConfig
from ddfa.train.loop import train

state._WHITENING_SAMPLES = 100
output = Path(sys.argv[2])
config = TrainConfig(
    (Path(sys.argv[1]),), output, arch="mobilenet_v1_025", loss=LossWeights(points=0), samples=12, batch_size=4,
    resolution=32, warmup=1, worst=0, held_out=0.4, workers=0, threads=1, device="cpu", tensorboard=False,
)
run = train(config)
torch.save(run.network.state_dict(), output.with_name(f"rank{run.rank}.pt"))
"""


def test_two_processes_train_one_network(labelled, root, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}
    command = [*start, str(labelled), str(tmp_path / "run")]
    result = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()[-2000:]
    one, two = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    statistics = ("running_mean", "running_var")  # each process sees its own half of a batch; the first one's are kept
    assert all(torch.equal(one[name], two[name]) for name in one if not name.endswith(statistics))
    assert any(not torch.equal(one[name], two[name]) for name in one if name.endswith(statistics))
    log = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert len(log) == 2 and log[1].startswith("3,")
    assert torch.load(tmp_path / "run" / "checkpoint.pt")["step"] == 3
