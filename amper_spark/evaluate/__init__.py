"""Whether renders sound as they were asked to, and like the recordings that they were made for."""
