# The twin declares the signatures once for both.
from groundswell.cext.pure_websocket import Parser as Parser
from groundswell.cext.pure_websocket import is_utf8 as is_utf8
from groundswell.cext.pure_websocket import unmask as unmask
