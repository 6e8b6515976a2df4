"""Weights as files for others: .onnx to run without PyTorch, .safetensors to go on training."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from veristem.bench.training.stage import Stage
from veristem.datasets.formats.atomic import atomic_path


def export(stage: Stage, network: nn.Module, path: Path, calibration: Sequence[float]) -> None:
    """Write a network as .onnx, for images of any size, and beside it as .safetensors.

    ``calibration`` multiplies the standard deviations that the network expects of itself.
    """
    import onnx

    told = {"stage": stage.name, "version": stage.version}
    told["calibration"] = calibration[0] if len(calibration) == 1 else list(calibration)
    network = network.cpu().eval()
    channels, *sides = stage.image
    shape = [side or 32 * axis for axis, side in enumerate(sides, 2)]
    free = {axis: torch.export.Dim.DYNAMIC for axis, side in enumerate(sides, 2) if side is None}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how the exporter is written
        program = torch.onnx.export(
            network, (torch.zeros(1, channels, *shape),), input_names=["image"], output_names=["outputs"], dynamo=True,
            dynamic_shapes=(free,), verbose=False,
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    model.metadata_props.append(onnx.StringStringEntryProto(key="veristem", value=json.dumps(told)))
    for node in model.graph.node:  # where in our sources each node comes from is nobody's business
        del node.metadata_props[:]
        node.doc_string = ""
    with atomic_path(path) as partial:
        partial.write_bytes(model.SerializeToString())
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    with atomic_path(path.with_suffix(".safetensors")) as partial:
        partial.write_bytes(save(weights, {"veristem": json.dumps(told)}))
