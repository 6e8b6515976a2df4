"""One command of the command line a file. Heavy libraries are imported inside the functions that use them."""
