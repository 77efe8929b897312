"""Tables for papers: methods by datasets in one table, as LaTeX that fits its column, CSV and JSON."""
