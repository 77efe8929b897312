"""What is called from Python: evaluate methods, measure images, read stores."""
