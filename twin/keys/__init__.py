"""Keys: 256-bit random secrets, shown once, kept as SHA-256 only."""
