"""Tests; README.md says what each folder is for."""
