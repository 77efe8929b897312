"""Any metric of pyiqa by the library's own name, in its default variant: ``pyiqa:NAME``."""

PYIQA = "pyiqa:"
"""Prefix of the id of such a metric; the library's name of the metric follows."""
