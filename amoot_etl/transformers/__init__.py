"""Pure functions that clean: chunk in, new chunk out, vectorised."""
