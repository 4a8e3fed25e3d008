"""Everything that runs on or writes for Spark; the lake's own modules work without a JVM."""
