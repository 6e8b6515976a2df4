"""Persistent homology of masks of lines, in images and in volumes: filtrations, diagrams, distances, one score."""
