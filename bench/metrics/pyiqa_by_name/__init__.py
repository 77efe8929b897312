"""Any metric of pyiqa by the library's own name, in its default variant: ``pyiqa:NAME``."""

PYIQA = "pyiqa:"
"""What the id of such a metric begins with; the library's name follows."""
