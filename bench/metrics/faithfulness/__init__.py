"""Whether detail is that of HR and LQ: what sharpness and energy alone do not tell."""

FEATURES = "features:"
"""What the id of a distance in a model's features begins with; its name follows."""
JUDGE = "judge:"
"""What a metric begins with that is an outside judge; its file follows."""
