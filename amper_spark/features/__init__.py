"""The features of a window and their registry."""
