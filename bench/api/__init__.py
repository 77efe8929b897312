"""The Python API: evaluate methods, measure and restore images, and read stores."""
