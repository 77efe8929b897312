"""User studies: blind pages on which people compare outputs, and the evaluation of their votes."""
