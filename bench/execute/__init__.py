"""Executing: restore LQ images and measure the results, in this process, in other processes or on other machines."""
