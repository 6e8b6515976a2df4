"""The gate: results of a study held against a baseline, metric by metric."""
