"""Models that hear descriptors in windows: hierarchies, splits, training, scores."""
