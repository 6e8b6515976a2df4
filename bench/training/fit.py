"""A network that learns step by step, whose whole state can be kept in a file without pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save

from veristem.bench.training.stage import Stage
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path

_RATE, _DECAY, _WARM = 3e-3, 1e-4, 30
_CLIP = 2.0  # of the gradient's norm


class Fit:
    """Training of one network.

    Parameters
    ----------
    stage : Stage
        Whose network.
    steps : int
        Of the whole training: the rate falls to nothing over them, as a cosine.
    seed : int
        Of the weights it begins with and of every batch.
    device : str
        Of PyTorch.
    """

    def __init__(self, stage: Stage, steps: int, seed: int, device: str):
        torch.manual_seed(seed)
        self.stage, self.steps, self.seed, self.device, self.done = stage, steps, seed, device, 0
        self.network = stage.network().to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=_RATE, weight_decay=_DECAY)

    def step(self, examples: Sequence) -> float:
        """Loss of one step; nothing is changed when it is no number."""
        drawn = self.stage.batch(examples, self.stage.size, np.random.default_rng([self.seed, self.done]))
        images, target = (torch.from_numpy(part).to(self.device) for part in drawn)
        self.network.train()
        loss = self.stage.loss(self.network(images), target)
        value = float(loss.detach())
        if not np.isfinite(value):
            return value
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        for group in self.optimizer.param_groups:
            warm = min(1.0, (self.done + 1) / _WARM)
            group["lr"] = _RATE * warm * 0.5 * (1 + np.cos(np.pi * min(1.0, self.done / self.steps)))
        self.optimizer.step()
        self.done += 1
        return value

    def answer(self, image: np.ndarray) -> np.ndarray:
        """Outputs (O, Y, X) for an image (C, Y, X), by the network as it is."""
        self.network.eval()
        with torch.no_grad():
            return self.network(torch.from_numpy(image[None]).to(self.device))[0].cpu().numpy()

    def save(self, path: Path, told: dict) -> None:
        """Write network, optimizer and what is to be known of the run."""
        tensors = {f"network.{name}": value.contiguous() for name, value in self.network.state_dict().items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
        content = save(tensors, {"told": json.dumps({"done": self.done, "steps": self.steps} | told)})
        with atomic_path(path) as partial:
            partial.write_bytes(content)  # save_file tells of a full disk by an error of its own, which is no OSError

    def load(self, path: Path) -> dict:
        """Go on from a file of `save`; what was told with it.

        Raises
        ------
        InputError
            For a file of another training, or none.
        """
        try:
            with safe_open(path, "pt", device=self.device) as file:
                told = json.loads(file.metadata()["told"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
            state: dict[int, dict] = {}
            for name, value in tensors.items():
                if name.startswith("optimizer."):
                    _, number, key = name.split(".")
                    state.setdefault(int(number), {})[key] = value.cpu() if key == "step" else value
            self.network.load_state_dict(_part(tensors, "network."))
            self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})
            self.done = told["done"]
        except Exception as error:  # the libraries' errors share no class
            line = (str(error).strip().splitlines() or ["no message"])[0][:200]
            raise InputError(f"{path}: no state of this training ({line}); remove it to begin anew") from None
        return told


def _part(tensors: dict, prefix: str) -> dict:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
