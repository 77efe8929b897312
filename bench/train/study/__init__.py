"""Planned studies: arms, choices and tests are fixed in a file before training; p-values are corrected together."""
