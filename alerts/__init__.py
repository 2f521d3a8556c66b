"""Alerts: rules, the pure evaluator, states, the outbox and webhook delivery."""
