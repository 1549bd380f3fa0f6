"""Results as one page that needs nothing else: no server, no network, no script."""

from infra.report.write import render, write_report

__all__ = ["render", "write_report"]
