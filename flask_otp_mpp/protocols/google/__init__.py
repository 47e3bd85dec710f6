"""Google Standard Payments asks the wallet to send an OTP and to verify it."""
