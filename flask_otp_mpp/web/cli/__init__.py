"""The commands of ``flask otp-mpp``."""
