"""Analysis: from scores to the numbers of a table."""
