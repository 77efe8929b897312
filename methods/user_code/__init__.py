"""Methods and metrics in code of users: how it is imported and identified."""
