"""Backups of the map: its database, its certificates and a portable dump; drills and restores."""
