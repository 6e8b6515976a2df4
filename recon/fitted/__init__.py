"""Lines as cubic B-splines in space, fitted to the images of all views."""
