"""Load drivers, the limit, peers, scenarios and their report. Start with `command.py`.

The drivers are C (`native/`), so that on a machine with two cores the client is not the bound;
Python starts the processes, reads their CPU and memory, and writes down what was measured.
"""
