"""Training of the network of disparities after the thesis."""
