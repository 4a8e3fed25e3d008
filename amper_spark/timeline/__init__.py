"""Timelines: the documents that say what music is wanted, and when."""
