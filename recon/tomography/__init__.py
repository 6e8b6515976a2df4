"""A volume from many views about one axis, and the lines or particles in it."""
