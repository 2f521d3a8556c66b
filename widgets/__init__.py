"""Widgets: specs, query planning, aggregation, caching and the data endpoints."""
