"""Small servers to compare with. Each says `ready PORT` on stdout and runs until it is ended."""
