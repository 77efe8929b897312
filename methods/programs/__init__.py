"""External programs as methods: commands, and recipes for clones of published repositories."""
