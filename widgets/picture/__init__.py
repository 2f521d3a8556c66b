"""Pictures of widgets as SVG, for reports and e-mail."""
