"""Whether detail is that of HR and LQ: what sharpness and energy alone do not tell."""
