"""The smallest errors that physics allows: of points, of lines, and what contrast the lines have."""
