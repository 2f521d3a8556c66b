"""Clients of other systems, unmodified: their protocols and the answers that they expect."""
