"""Music from timelines: a composer that writes notes and an engine that plays them."""
