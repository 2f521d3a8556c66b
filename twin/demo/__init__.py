"""`twinfeed demo`: a server with a sample plant. Everything but the start goes through HTTP."""
