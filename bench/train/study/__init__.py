"""Planned studies: arms, choices and tests are written down before anything is trained, and corrected together."""
