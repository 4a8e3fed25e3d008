"""Outside music: real recordings that models have never heard anything like, and must stand all the same."""
