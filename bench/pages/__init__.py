"""What a page shows, and which folder it is of."""
