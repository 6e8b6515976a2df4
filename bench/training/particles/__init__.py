"""Training of the network that finds particles: what differs from that of contours."""
