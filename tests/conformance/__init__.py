"""The conformance kit: its cases, its reports, and wallets that pass or fail them."""
