"""The scenarios, one module per group; a test's name carries its number."""
