"""From results to what people look at: figures, 3D scenes and one self-contained page."""

from veristem.reports.page import write_page
from veristem.reports.scenes import Scene
from veristem.reports.show import view

__all__ = ["Scene", "view", "write_page"]
