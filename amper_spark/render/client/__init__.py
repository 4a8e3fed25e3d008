"""A client of Amper's API, version 1: timelines go out, files come back, each timeline is rendered once."""
