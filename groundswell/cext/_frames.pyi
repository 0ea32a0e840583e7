# The twin declares the signatures once for both.
from groundswell.cext.pure_frames import sse_event as sse_event
from groundswell.cext.pure_frames import update as update
from groundswell.cext.pure_frames import websocket_close as websocket_close
from groundswell.cext.pure_frames import websocket_ping as websocket_ping
from groundswell.cext.pure_frames import websocket_pong as websocket_pong
from groundswell.cext.pure_frames import websocket_text as websocket_text
from groundswell.cext.pure_frames import with_reactions as with_reactions
