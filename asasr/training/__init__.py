"""Training of the prior, the adversary and the preference policy."""
