"""Training runs of the small networks: occlusion, roll and proposals."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import torch
import yaml
from torch import Tensor, nn

from ddfa.files import make_folder, write_atomically
from ddfa.train.descent import descend
from ddfa.train.log import RunLog
from ddfa.train.schedule import cosine
from ddfa.train.small_configs import OcclusionConfig, ProposalConfig, RollConfig
from ddfa.train.state import CHECKPOINT, ema_of, load_checkpoint, restore_state, save_state

_Network = TypeVar("_Network", bound=nn.Module)
_Config: TypeAlias = OcclusionConfig | RollConfig | ProposalConfig


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, whatever the settings of the run.

    Attributes:
        ema_decay: of the moving average of the weights.
        warmup: steps until the peak of the learning rate.
        validate_every: steps between validations, which also write the checkpoint.
        ema_ramp: see `ema_of`.
        floor: share of the peak learning rate at the end.
        weight_decay: of AdamW.
        grad_clip: maximum norm of the gradient.
    """

    ema_decay: float
    warmup: int
    validate_every: int
    ema_ramp: bool = False
    floor: float = 0.01
    weight_decay: float = 0.02
    grad_clip: float = 1.0


class SmallRun(Generic[_Network]):
    """A training run from its folder and checkpoint to the last step.

    Create it, read the data, then `start`; call `step` for each of `range(begun, config.steps)`, then `finish`.

    Args:
        config: the settings.
        recipe: what all runs of this network have in common.
        make: creates the network, on its device.

    Attributes:
        network: being trained.
        average: moving average of the weights; this is what is exported.
        begun: steps done before, in the run that is resumed.
        figures: of the last validation.
        log: the log.

    Raises:
        DataError: there is nothing to resume.
        OutputError: the run folder cannot be written.
    """

    log: RunLog

    def __init__(self, config: _Config, recipe: Recipe, make: Callable[[], _Network]) -> None:
        self._config, self._recipe = config, recipe
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        make_folder(config.output)
        self.network = make()
        self.average = ema_of(self.network, recipe.ema_decay, recipe.ema_ramp)
        self._optimizer = torch.optim.AdamW(self.network.parameters(), config.lr, weight_decay=recipe.weight_decay)
        self._parts = {"network": self.network, "average": self.average, "optimizer": self._optimizer}
        self._checkpoint = config.output / CHECKPOINT
        self.begun = 0
        if config.resume:
            self.begun = restore_state(load_checkpoint(self._checkpoint), self._parts, self._checkpoint)
        self.figures: dict[str, float] = {}

    def start(self, validate: Callable[[nn.Module], dict[str, float]]) -> None:
        """Write the settings and open the log.

        Args:
            validate: measures the averaged network.
        """
        settings: dict[str, Any] = asdict(self._config)
        text = yaml.safe_dump({name: str(value) for name, value in settings.items()})
        write_atomically(self._config.output / "config.yaml", text.encode())
        self._validate = validate
        if self.begun:
            self.figures = validate(self.average)
        self.log = RunLog(self._config.output, self.begun, self._config.batch_size, tensorboard=False)

    def step(self, step: int, loss: Tensor) -> None:
        """Take an optimiser step, the number `step` from 0, down the gradient of its loss.

        Raises:
            DataError: the loss is not finite.
            OutputError: the checkpoint or the log cannot be written.
        """
        lr = self._lr(step)
        descend(loss, lr, self.network, self.average, self._optimizer, self._recipe.grad_clip)
        done = step + 1
        if done % self._recipe.validate_every == 0 or done == self._config.steps:
            self.figures = self._validate(self.average)
            self.log.validated(done, self.figures)
            save_state(self._checkpoint, done, self._parts)
        self.log.add(done, lr, {"loss": loss.detach()})

    def finish(self) -> None:
        """Complete the log."""
        self.log.close(self._config.steps, self._lr(self._config.steps))

    def _lr(self, step: int) -> float:
        return cosine(step, self._config.steps, self._config.lr, self._recipe.warmup, self._recipe.floor)
