"""Verification: our values against the records of others."""
