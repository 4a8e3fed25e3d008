"""Split a recording into vocals and accompaniment, as Spleeter does, without TensorFlow."""
