"""User studies as pages: the blind one for raters, and the report."""
