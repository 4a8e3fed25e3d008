"""Descriptors: the styles that music is generated in, and that models tell apart."""
