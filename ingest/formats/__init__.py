"""One parser per wire format of tables and lines: bytes in, parts of a request out. No I/O."""
