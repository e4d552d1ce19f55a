"""map-app: the program that runs on the server. It must work when Node, the release or the database does not."""
