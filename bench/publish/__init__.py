"""Publishing: tables, pages and figures from the results of a store."""
