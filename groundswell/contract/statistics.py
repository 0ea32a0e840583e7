"""Records that `statistics()` methods return, and what the metrics make of them.

A field of type `Count` or `Sum` only grows: it becomes a counter named `..._total`. Every other
number is a gauge.
"""

from typing import Annotated, Final

GROWS: Final = "only grows"

Count = Annotated[int, GROWS]
Sum = Annotated[float, GROWS]
