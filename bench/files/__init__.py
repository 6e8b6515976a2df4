"""Files into files: a simulation in its folder, views of a 4D scan, one format into another."""
