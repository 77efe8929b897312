"""Interpolation and networks that map one LQ image to one SR image."""
