"""The composer: a timeline in, notes out."""
