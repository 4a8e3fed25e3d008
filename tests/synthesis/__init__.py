"""Music of which everything is known: a small additive synthesiser and a composer of test pieces."""
