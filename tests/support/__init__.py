"""Builders, stand-ins and checks that several tests use."""
