"""`python -m groundswell.bench <scenario>`."""

from groundswell.bench.command import bench

bench(prog_name="python -m groundswell.bench")
