"""The protocol of Grafana's JSON source (simpod-json-datasource) under /v1/grafana."""
