"""All stages together: export and what is built on it."""
