"""From an acquisition to a reconstruction. Nothing here sees a truth."""

from veristem.recon.methods import load_method, method_names, run_method

__all__ = ["load_method", "method_names", "run_method"]
