"""HTTP routes: each parses, calls one service and returns."""
