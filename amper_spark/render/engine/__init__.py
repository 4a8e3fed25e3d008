"""The engine: notes in, mastered audio out."""
