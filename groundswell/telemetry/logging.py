"""One way out for every log line: structlog and the standard library, JSON or console, stderr."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

from groundswell.contract.settings import TelemetrySettings
from groundswell.telemetry.escaping import escape_event

# Talkative at INFO: a line for each request, each migration context, each database call, each
# change of a consumer group or of a node's state.
_QUIET_LIBRARIES = (
    *("aiohttp.access", "aiokafka", "aiosqlite", "alembic", "asyncio", "asyncpg", "cassandra"),
    *("redis", "sqlalchemy.engine"),
)


def configure(settings: TelemetrySettings, *, stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (standard error) in one form.

    Call it once, before the first line is logged; again, it replaces what was configured.
    """
    stream = sys.stderr if stream is None else stream
    console = settings.log_format == "console" or (
        settings.log_format == "auto" and stream.isatty()
    )
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # loggers made at import must follow this call
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                escape_event,
                _renderer(console=console, colors=console and stream.isatty()),
            ],
        )
    )
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


def _renderer(*, console: bool, colors: bool) -> Processor:
    if console:
        return structlog.dev.ConsoleRenderer(
            colors=colors, exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer(ensure_ascii=False)
