"""The other side of each protocol, for trials and tests: it signs requests and checks answers."""
