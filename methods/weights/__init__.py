"""Weight files: where they are, whether they are the right ones, how to get them."""
