"""The others, each a program of its own, as someone who uses that tool would write it."""
