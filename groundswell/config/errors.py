"""What is wrong with a configuration, all of it at once."""

from collections.abc import Sequence


class ConfigError(Exception):
    """The configuration cannot be used. `problems` has one sentence for each thing to correct."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(*problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"{len(self.problems)} problems in the configuration:{lines}"
