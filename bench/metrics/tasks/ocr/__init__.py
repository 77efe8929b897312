"""What is still read in a restored image."""
