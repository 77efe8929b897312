"""Getting files of published sets: downloads, archives, digests."""
