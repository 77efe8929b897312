"""Folders of images that were restored elsewhere."""
