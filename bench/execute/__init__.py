"""Executing: LQ to SR to scores, in this process, on other processes or on other machines."""
