"""From a recipe to a specimen, its truth and its images."""
