"""The commands of cds-service."""
