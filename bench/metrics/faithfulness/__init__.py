"""Metrics of faithfulness: whether detail is that of HR and LQ, which sharpness and energy alone do not show."""

FEATURES = "features:"
"""Prefix of the id of a distance between a model's features; the name of the model follows."""
JUDGE = "judge:"
"""Prefix of the id of an external judge; the path of its file follows."""
