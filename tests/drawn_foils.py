"""Foils to train on without a simulation, for tests."""

import numpy as np

from veristem.bench.training.foils import TrainingFoil
from veristem.datasets.geometry import project
from veristem.datasets.recipe import load_recipe


def drawn_foil(seed, views=6, side=160):
    """Dark lines on a grey ground, seen in pairs 8 degrees apart: what a network learns without a simulation."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] + 0.5
    directions = np.radians(4.0) * np.array([[(-1) ** view, 0.0] for view in range(views)])
    lines = []
    for _ in range(4):
        turn, middle = rng.uniform(0, np.pi), [*rng.uniform(0.4, 1.6, 2) * side, 100.0]
        steps = np.arange(-400, 400, 0.5)[:, None]
        line = middle + steps * [np.cos(turn), np.sin(turn), 0.0] + [0.0, 0.0, rng.uniform(-90, 90)]
        lines.append(line[((line[:, :2] > 0) & (line[:, :2] < 2 * side)).all(axis=1)].astype(np.float32))
    images, visible = [], []
    for direction in directions:
        image = np.full((side, side), 0.8)
        seen = [project(line, direction, 100.0) / 2 for line in lines]
        for points in seen:
            (cos, sin), place = (points[-1] - points[0]) / np.linalg.norm(points[-1] - points[0]), points[0]
            image = image * (1 - 0.4 * np.exp(-0.5 * ((-(x - place[0]) * sin + (y - place[1]) * cos) / 2.0) ** 2))
        visible.append(np.concatenate(seen).astype(np.float32))
        images.append(image)
    recipe = load_recipe("cantor-stereo").model_dump_json()
    return TrainingFoil(
        np.array(images, np.float32), np.full(views, 2000.0), visible, [np.zeros((0, 2), np.float32)] * views,
        np.zeros((views, side, side), bool), lines, directions, np.tile(np.eye(2, 3), (views, 1, 1)), 100.0, recipe,
    )  # fmt: skip
