"""What an event needs, reckoned from measured unit costs.

`measure` takes them, `units` reads them out of result files, `model` is the arithmetic, `plan` the
answer and `check` holds a prediction against a run.
"""
