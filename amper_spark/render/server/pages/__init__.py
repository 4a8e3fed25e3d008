"""The web page of the server: browse descriptors, compose a timeline, hear and download the music."""
