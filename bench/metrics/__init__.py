"""Metrics: each a named, versioned function from an SR image and its reference to a score."""
