"""Networks of metrics, or parts of them, that give the same values with less work."""
