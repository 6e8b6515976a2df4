"""A study: its cells, their keys, where rows are stored, and who computes them."""
