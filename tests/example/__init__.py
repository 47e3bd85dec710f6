"""The example wallet, its demo and the tools that a trial begins with."""
