"""The render server: Amper's API, version 1, in front of composer and engine."""
