"""Doubtful answers of a session, by what is odd about them, in the signs of `corpus.py`. Behind each of them the session
closes, so that nobody waits for the rest of one that is none.

What is odd about lengths, codings and chunks is the same as in requests; what only answers have is here.
"""

from corpus import CHUNKS, CODINGS, LENGTHS, MORE_CODINGS, MORE_LENGTHS

OK = "HTTP/1.1 200 OK\n"
EMPTY = "\nContent-Length: 0\n\n"

STATUS_LINES = [
    "HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.1 299 Odd", "HTTP/1.1 200 Fine \xe9\xff",
    "HTTP/1.1 200 a⇥b", "HTTP/1.2 200 OK", "HTTP/2.0 200 OK", "HTTP/2 200 OK", "HTTP/0.9 200 OK", "HTTP/1.10 200 OK", "HTTP/01.1 200 OK",
    "http/1.1 200 OK", "HTTP /1.1 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1⇥200 OK", " HTTP/1.1 200 OK", "\nHTTP/1.1 200 OK", "␊HTTP/1.1 200 OK",
    "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1 000 OK", "HTTP/1.1 600 OK", "HTTP/1.1 999 OK", "HTTP/1.1 -20 OK",
    "HTTP/1.1 2x0 OK", "HTTP/1.1 200OK", "HTTP/1.1 200⇥OK", "HTTP/1.1 OK", "HTTP/1.1", "ICY 200 OK", "RTSP/1.0 200 OK", "200 OK", "hello",
    "HTTP/1.1 200 a␀b", "HTTP/1.1 200 a⇣b", "HTTP/1.1 200 a\x7fb", "HTTP/1.1 200 a\x1bb", "HTTP/1.1 200 a␍b", "HTTP/1.1 200 OK␊X: y",
    "GET / HTTP/1.1", "Status: 200 OK",
]
FIELDS = [
    "X: y", "X:", "X : y", "X⇥: y", " X: y", "⇥X: y", "X: y\n z", "X: y\n⇥z", "X: y\n ", ": y", "X", "X y: z", "X␀: y", "X: a␀b", "X: a␍b",
    "X: a⇣b", "X: a\x7fb", "X: a\x1bb", "X: \x80\xff", "X\xe9: y", "(X): y", "X/Y: y", 'X"Y: y', "X_Y: z", "X.Y: z", "X: y␊Y: z", "X: y␊",
    "X: y␊␊", "Connection: close", "Connection: keep-alive, close", "Connection: Content-Length", "Connection: Transfer-Encoding",
    "Connection: X\nX: y", "Keep-Alive: timeout=1", "Upgrade: websocket", "Connection: Upgrade\nUpgrade: h2c", "Trailer: Content-Length",
    "Location: /\nLocation: /x", "Content-Type: text/plain\nContent-Type: text/html", "Date: yesterday\nDate: today",
]
# Statuses whose bodies are none, interim answers, and what comes behind an answer: the whole stream.
BODIES = [
    "HTTP/1.1 204 No Content\n\n", "HTTP/1.1 204 No Content\nContent-Length: 0\n\n", "HTTP/1.1 204 No Content\nContent-Length: 5\n\nhello",
    "HTTP/1.1 204 No Content\n\nhello", "HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", "HTTP/1.1 304 Not Modified\n\n",
    "HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n", "HTTP/1.1 304 Not Modified\nContent-Length: 5\n\nhello",
    "HTTP/1.1 304 Not Modified\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", "HTTP/1.1 205 Reset Content\nContent-Length: 5\n\nhello",
    "HTTP/1.1 205 Reset Content\n\n", "HTTP/1.1 200 OK\n\nhello", "HTTP/1.0 200 OK\n\nhello", "HTTP/1.1 200 OK\n\n",
    "HTTP/1.0 200 OK\nContent-Length: 5\n\nhello", "HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 5\n\nhello",
    "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", "HTTP/1.0 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
    "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "HTTP/1.1 103 Early Hints\nLink: </x>\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "HTTP/1.1 102 Processing\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "HTTP/1.1 199 Odd\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "HTTP/1.1 103 Early Hints\nContent-Length: 5\n\nhelloHTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "HTTP/1.1 103 Early Hints\nContent-Length: 0\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "HTTP/1.1 103 Early Hints\nTransfer-Encoding: chunked\n\n0\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "HTTP/1.0 103 Early Hints\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "HTTP/1.1 103 Early Hints\n\n", "HTTP/1.1 100 Continue\n\n",
    "HTTP/1.1 101 Switching Protocols\n\nhello", "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n\nhello",
    "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: h2c\n\nhello", "HTTP/1.1 426 Upgrade Required\nContent-Length: 0\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello world", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhelloHTTP/1.1 200 OK\nContent-Length: 4\n\nevil",
    "HTTP/1.1 200 OK\nContent-Length: 0\n\nHTTP/1.1 200 OK\nContent-Length: 4\n\nevil", "HTTP/1.1 200 OK\nContent-Length: 10\n\nhello",
    "HTTP/1.1 200 OK\nContent-Length: 5\n\n", "HTTP/1.1 200 OK\nContent-Length: 5\n", "HTTP/1.1 200 OK\n", "HTTP/1.1 2", "", "\n\n",
    "HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 5\n\n5\nhello\n0\n\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\nHTTP/1.1 200 OK\nContent-Length: 4\n\nevil",
]


def cases():
    """(family, odd part) to the stream that answers a request."""
    found = {}
    for line in STATUS_LINES:
        found["status", line] = line + "\nContent-Length: 5\n\nhello"
    for field in FIELDS:
        found["field", field] = f"{OK}{field}\nContent-Length: 5\n\nhello"
    for length in LENGTHS + MORE_LENGTHS:
        found["answered_length", length] = OK + (length and length + "\n") + "\nhello"
    for coding in CODINGS + MORE_CODINGS:
        found["answered_coding", coding] = OK + (coding and coding + "\n") + "\n5\nhello\n0\n\n"
    for chunks in CHUNKS:
        found["answered_chunks", chunks] = f"{OK}Transfer-Encoding: chunked\n\n{chunks}"
    for stream in BODIES:
        found["body", stream] = stream
    return found
