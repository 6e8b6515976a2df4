"""Contrast of diffraction: two beams, systematic rows, planar faults, wedges."""

from veristem.sim.contrast.faults import Fault
from veristem.sim.contrast.howie_whelan import Extinction, two_beam
from veristem.sim.contrast.many_beams import Row, systematic_row

__all__ = ["Extinction", "Fault", "Row", "systematic_row", "two_beam"]
