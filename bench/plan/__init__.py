"""Which conditions to choose: limits from a few small foils, times how well methods do in studies."""
