"""Training of learned stages on simulated images."""
