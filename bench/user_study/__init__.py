"""User studies: blind pages for people, their votes, and what the votes say."""
