"""The third quarter of 2026, told chapter by chapter: one file a package."""
