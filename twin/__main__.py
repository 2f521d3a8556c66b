"""`python -m twin`: the same as the command `twinfeed`."""

from twin.cli import main

main()
