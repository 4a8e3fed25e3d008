"""Listen to a corpus of recordings on Spark and turn what was heard back into music."""

__version__ = "0.1.0"
