"""Publishing: from the numbers of a store to pages and figures."""
