"""Raw readings read out: page by page, or whole as a file."""
