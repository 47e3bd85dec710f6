"""The wallet behind the servers and the proxy that it is deployed with, as real processes."""
