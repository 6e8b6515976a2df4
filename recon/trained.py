"""Networks that were trained, run without PyTorch: a file of weights, and what is told in it."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from veristem.datasets.errors import InputError

WEIGHTS = Path(__file__).parent / "weights"
_LARGEST = 1 << 26  # bytes of a file of weights


class Network(NamedTuple):
    """A network ready to run.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        On one thread, so that no result depends on their number.
    calibration : (C,) float
        By what the standard deviations that it expects of itself are multiplied, found on what was not trained on.
    """

    session: object
    calibration: np.ndarray

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Outputs (O, …) of one image (C, Y, X)."""
        return np.asarray(self.session.run(None, {"image": np.ascontiguousarray(image)[None]})[0])[0]  # type: ignore[attr-defined]


def trained(stage: str, version: int, weights: str | None = None, factors: int = 1) -> Network:
    """The network of a stage.

    Parameters
    ----------
    stage : str
        What it finds, after which its file is named.
    version : int
        Of what goes in and comes out: weights of another one are refused.
    weights : path, optional
        A .onnx file of `veristem train`; that of the package if not given.
    factors : int
        How many standard deviations it tells.

    Raises
    ------
    InputError
        For weights that cannot be read, or of another stage or version.
    """
    return _opened(str(WEIGHTS / f"{stage}.onnx" if weights is None else weights), stage, version, factors)


@lru_cache(maxsize=8)
def _opened(path: str, stage: str, version: int, factors: int) -> Network:
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
        found, its_version = told["stage"], told["version"]
        calibration = np.atleast_1d(np.asarray(told["calibration"], float))
    except Exception as error:  # the library's errors share no class
        line = (str(error).strip().splitlines() or ["no message"])[0][:200]
        raise InputError(f"weights {path}: no network of {stage} ({line}); train one with `veristem train`") from None
    if (found, its_version) != (stage, version):
        raise InputError(
            f"weights {path}: version {its_version} of {found} found, version {version} of {stage} allowed; train them "
            "again with `veristem train`"
        )
    if calibration.shape != (factors,) or not ((calibration > 0) & (calibration < 1e3)).all():
        found, allowed = str(told["calibration"])[:60], "a positive number" if factors == 1 else f"{factors} of them"
        raise InputError(f"weights {path}: calibration {found} found, {allowed} allowed")
    return Network(session, calibration)
