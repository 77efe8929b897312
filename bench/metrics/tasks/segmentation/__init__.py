"""How a restored image is parsed."""
