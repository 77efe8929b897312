"""The drift gate: a store against a committed baseline, and many stores over time."""
