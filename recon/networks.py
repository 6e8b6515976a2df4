"""Trained networks ready to run, without PyTorch."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from veristem.datasets.errors import InputError

_LARGEST = 1 << 26  # bytes of a file of weights


class Network(NamedTuple):
    """A network, and what its standard deviations are to be multiplied by, as found on what was not trained on."""

    session: Any
    calibration: tuple[float, ...]

    def outputs(self, image: np.ndarray) -> np.ndarray:
        """(O, Y, X) float32 for an image (C, Y, X) float32."""
        return np.asarray(self.session.run(None, {"image": np.ascontiguousarray(image)[None]})[0])[0]


@lru_cache(maxsize=4)
def load_network(path: str, stage: str, version: int, factors: int = 1) -> Network:
    """The network of a .onnx file, on one thread so that no result depends on their number.

    Parameters
    ----------
    path : str
        File of `veristem train`.
    stage : str
        What it must find.
    version : int
        Of what goes into it and comes out.
    factors : int
        How many standard deviations it tells.

    Raises
    ------
    InputError
        For a file that is missing, damaged or too large, or holds another network.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is told by our own error
    file = Path(path)
    if not file.is_file():
        raise InputError(f"weights {path}: no such file; a .onnx file of `veristem train {stage}` allowed")
    if file.stat().st_size > _LARGEST:
        raise InputError(f"weights {path}: {file.stat().st_size} bytes found, at most {_LARGEST} allowed")
    try:
        session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
        told = json.loads(session.get_modelmeta().custom_metadata_map["veristem"])
        found = told["stage"], told["version"]
        calibration = tuple(np.atleast_1d(np.array(told["calibration"], float)).tolist())
    except Exception as error:  # the library's errors share no class
        line = (str(error).strip().splitlines() or ["no message"])[0][:200]
        raise InputError(f"weights {path}: no network of {stage} ({line}); train one with `veristem train`") from None
    if found != (stage, version):
        raise InputError(
            f"weights {path}: version {found[1]} of {found[0]} found, version {version} of {stage} allowed; train them "
            "again with `veristem train`"
        )
    if len(calibration) != factors or not all(0 < value < 1e3 for value in calibration):
        text = ", ".join(f"{value:g}" for value in calibration[:4])
        allowed = "a positive number" if factors == 1 else f"{factors} positive numbers"
        raise InputError(f"weights {path}: calibration {text} found, {allowed} allowed")
    return Network(session, calibration)
