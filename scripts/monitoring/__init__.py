"""Alerts and dashboards as tables; scripts/write_monitoring makes files of them. See docs/monitoring.md."""
