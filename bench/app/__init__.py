"""The window of `veristem app`: each button runs what the command line runs, and shows the command."""
