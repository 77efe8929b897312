"""Methods and metrics in code from elsewhere: importing it, and what identifies it."""
