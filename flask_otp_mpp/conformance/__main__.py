"""Run the kit without its console script: ``python -m flask_otp_mpp.conformance``."""

from flask_otp_mpp.conformance.cli import main

main(prog_name="otp-mpp-conformance")
