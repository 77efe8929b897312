"""Training of the small networks that judge restored images in tasks."""
