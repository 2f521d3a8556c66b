"""Applications: programs that use an organisation's management keys, each with a token and limits."""
