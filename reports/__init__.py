"""From results to what people look at: figures, 3D scenes and one self-contained page."""

from veristem.reports.drawing import draw
from veristem.reports.page import write_page
from veristem.reports.particles import ParticleScene, RadialCurves
from veristem.reports.scenes import Scene
from veristem.reports.show import view

__all__ = ["ParticleScene", "RadialCurves", "Scene", "draw", "view", "write_page"]
