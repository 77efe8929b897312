"""Parts of commands that take long: forecasts, a log of events, and a clean end at any moment."""
