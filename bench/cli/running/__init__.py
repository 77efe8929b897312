"""What commands that take long have: bars, a log of events, and an end at any moment."""
