"""The process: HTTP, SQL, settings, clock and command line."""
