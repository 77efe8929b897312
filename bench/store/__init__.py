"""The store: what was restored and measured, with everything that determined it."""
