"""The embedded portal: a real HTTP server with an invented address book."""
