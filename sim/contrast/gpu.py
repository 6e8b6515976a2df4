"""Two beams through torch: on a GPU where there is one, else on the CPU."""

from __future__ import annotations

import numpy as np

from veristem.datasets.errors import InputError
from veristem.sim.contrast.howie_whelan import Extinction, crystal_step
from veristem.sim.contrast.many_beams import checked

_CHUNK_BYTES = 2**29


def two_beam_torch(
    beta, dz_nm: float, s, extinction: Extinction, *, device: str | None = None, chunk_bytes: int = _CHUNK_BYTES
) -> tuple[np.ndarray, np.ndarray]:
    """`howie_whelan.two_beam` by the same steps, with rounding of its own.

    Parameters
    ----------
    beta, dz_nm, s, extinction
        As there.
    device : str, optional
        Of torch; by default cuda where there is one, else cpu.
    chunk_bytes : int
        Memory for the pixels that are worked on at once, about.

    Returns
    -------
    I0, Ig : (k, ...) float
        Intensities, in beta's dtype.

    Raises
    ------
    InputError
        As `howie_whelan.two_beam`, and without torch.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("torch: not found; install veristem[gpu]") from None
    beta, s = checked(beta, dz_nm, s)
    extinction.check()
    dtype = beta.dtype if beta.dtype in (np.float32, np.float64) else np.dtype(float)
    kind = np.complex64 if dtype == np.float32 else np.complex128
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    steps = torch.from_numpy(crystal_step(dz_nm, s, extinction).astype(kind)).to(device)
    u, v, w = steps[:, 0, 0, None], steps[:, 0, 1, None], steps[:, 1, 1, None]
    angle = ((2 * np.pi * dz_nm) * beta.reshape(len(beta), -1)).astype(dtype)
    mean = float(np.exp(-2 * np.pi * dz_nm * len(beta) / extinction.xi_0_abs))
    out = np.empty((2, len(s), angle.shape[1]), dtype)
    # of each pixel: phases and their factors per slice; five amplitudes per excitation error
    pixels = max(1, chunk_bytes // (steps.element_size() * (3 * len(beta) + 5 * len(s))))
    for start in range(0, angle.shape[1], pixels):
        part = torch.from_numpy(np.ascontiguousarray(angle[:, start : start + pixels])).to(device)
        half = part / 2
        half[1:] += part[:-1] / 2  # half steps of neighbouring slices merge
        gain = torch.polar(torch.ones_like(half), half)
        direct = torch.ones((len(s), part.shape[1]), dtype=steps.dtype, device=device)
        diffracted = torch.zeros_like(direct)
        for slice_gain in gain:
            turned = diffracted * slice_gain
            direct, diffracted = u * direct + v * turned, v * direct + w * turned
        for beam, amplitude in enumerate((direct, diffracted)):
            out[beam, :, start : start + pixels] = (mean * amplitude.abs() ** 2).cpu().numpy()
    return out[0].reshape(-1, *beta.shape[1:]), out[1].reshape(-1, *beta.shape[1:])
