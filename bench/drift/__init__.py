"""The drift gate: comparison of a store with a committed baseline, and of many stores over time."""
