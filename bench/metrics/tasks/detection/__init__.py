"""Which objects are found in a restored image."""
