"""Bytes → readings → committed rows."""
