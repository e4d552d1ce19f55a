"""Unit tests of the program that runs on the server."""
