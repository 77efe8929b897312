"""Pipelines of diffusers as methods."""
