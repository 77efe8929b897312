"""Weight files: finding, verifying and downloading them."""
