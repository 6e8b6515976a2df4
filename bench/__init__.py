"""The conductor: studies, scores, oracles, command line."""
