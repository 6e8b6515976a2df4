"""Truth made worse in known ways, graded, against every metric: what each one sees and what it is blind to."""
