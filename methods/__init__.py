"""The registry of super-resolution methods and its adapters."""
