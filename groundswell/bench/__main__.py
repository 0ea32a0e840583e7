"""`python -m groundswell.bench` is `groundswell bench`, also where no command is installed."""

import sys

from groundswell.cli import cli

cli.main(["bench", *sys.argv[1:]], prog_name="groundswell")
