"""Training of the network that corrects matched curves by what both images show along them."""
