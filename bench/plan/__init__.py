"""Planning: from a spec to the jobs that a store still lacks."""
