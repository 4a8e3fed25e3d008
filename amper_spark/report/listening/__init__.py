"""A folder to listen to: a page of pieces from all styles, and a blind test of what people hear in them."""
