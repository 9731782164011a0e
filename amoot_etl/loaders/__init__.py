"""Writers of tables, one a format, and the publisher that makes a set of files current in one step."""
