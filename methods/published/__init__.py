"""Values that papers and repositories published, with their sources."""
