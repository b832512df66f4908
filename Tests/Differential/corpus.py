"""Doubtful messages, by what is odd about them. In these texts a line ends with CRLF; ␊ is a bare line feed, ␍ a bare
carriage return, ␀ a zero byte, ⇥ a tab, ⇣ a vertical tab, and `HOST` stands for the host that is asked.

What public suites for conformance and request smuggling look at is here in our own words: two lengths, a length and a
coding, codings in disguise, chunks that only some readers take, names and values with junk, line ends, versions, forms of
the target, hosts, and bodies where nobody expects one.
"""

SIGNS = (("\n", "\r\n"), ("␊", "\n"), ("␍", "\r"), ("␀", "\0"), ("⇥", "\t"), ("⇣", "\x0b"))
NEXT = "GET /next HTTP/1.1\nHost: HOST\nConnection: close\n\n"

LENGTHS = [
    "", "Content-Length: 5", "Content-Length : 5", "Content-Length: +5", "content-length:5", "Content-Length: 5, 5",
    "Content-Length:⇣5", "Content-Length: 05", "Content-Length: 5 ", "Content-Length:⇥5", " Content-Length: 5",
    "Content_Length: 5", "Content-Length: 0x5", "Content-Length: 5;a", "Content-Length:", "Content-Length: 0",
    "X: y␊Content-Length: 5", "X: y␍Content-Length: 5", "Content-Length: 5\nContent-Length: 5", "Content-Length: -0",
]
MORE_LENGTHS = [
    "Content-Length: 5\nContent-Length: 0", "Content-Length: 0\nContent-Length: 5", "Content-Length: 5,", "Content-Length: ,5",
    "Content-Length: 5 5", "Content-Length: 5.0", "Content-Length: 5e0", "Content-Length: '5'", 'Content-Length: "5"',
    "Content-Length: 00000000000000000000000005", "Content-Length: 18446744073709551621", "Content-Length: 9223372036854775808",
    "Content-Length: 4294967301", "Content-Length:␀5", "Content-Length: 5␀", "Content-Length: \xb5", "Content-Length: 5\n 0",
    "Content-Length:\n 5", "Content-Length⇥: 5", "⇥Content-Length: 5", "Content-Length: 5⇥", "CONTENT-LENGTH: 5",
    "Content-Length\n: 5", "Content-Length: 5\ncontent_length: 0", "Content Length: 5", "Content-Length=5", "Content-Length",
    "Content-Length;: 5", "\xa0Content-Length: 5", "\x01Content-Length: 5", "X-Content-Length: 5", "Content-Length: 1_0",
]
CODINGS = [
    "", "Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:⇣chunked",
    "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity",
    "Transfer-Encoding:chunked", "Transfer-Encoding: Chunked", " Transfer-Encoding: chunked",
    "X: X␊Transfer-Encoding: chunked", "Transfer_Encoding: chunked", "TransferEncoding: chunked", "TE: chunked",
    "X: y\n Transfer-Encoding: chunked", "Connection: Transfer-Encoding\nTransfer-Encoding: chunked",
]
MORE_CODINGS = [
    "Transfer-Encoding: chunked\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\nTransfer-Encoding: chunked", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked", "Transfer-Encoding:",
    "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: 'chunked'", 'Transfer-Encoding: "chunked"', "Transfer-Encoding: chunk",
    "Transfer-Encoding: cow", "Transfer-Encoding: chunked⇥", "Transfer-Encoding:⇥chunked", "Transfer-Encoding⇥: chunked",
    "⇥Transfer-Encoding: chunked", "Transfer-Encoding:\n chunked", "Transfer-Encoding\n : chunked", "Transfer-Encoding: chunked␀",
    "Transfer-Encoding: ␀chunked", "Transfer-Encoding: \xa0chunked", "Transfer-Encoding: \xffchunked", "Transfer-Encoding: chunked\x7f",
    "Transfer-Encoding: chun\x01ked", "Transfer-Encoding␀: chunked", "\xffTransfer-Encoding: chunked", "Transfer-Encoding;: chunked",
    "Transfer Encoding: chunked", "Transfer-Encoding=chunked", "Transfer-Encoding chunked", "TRANSFER-ENCODING: CHUNKED",
    "Transfer-Encoding: ch\u017fnked".encode().decode("latin-1"), "Transfer\u00adEncoding: chunked", "Transfer-Encoding: x\n chunked",
    "Transfer-Encoding: chunked␍X: y", "X: y␍Transfer-Encoding: chunked", "X: y␍␍\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\nTE: trailers, deflate", "Transfer-Encoding: chunked\nTrailer: Content-Length",
    "Transfer-Encoding: chunked\nExpect: 100-continue", "X-Transfer-Encoding: chunked", "Transfer-Encoding:: chunked",
]
HEADS = [
    "GET / HTTP/1.1\nHost: HOST", "GET http://HOST/x HTTP/1.1\nHost: HOST", "GET http://b/x HTTP/1.1\nHost: HOST",
    "GET /x HTTP/1.0\nHost: HOST\nConnection: keep-alive", "GET /x HTTP/1.0\nHost: HOST", "\nGET /x HTTP/1.1\nHost: HOST",
    "GET  /x HTTP/1.1\nHost: HOST", "GET /x?a=%zz HTTP/1.1\nHost: HOST", "GET /a%2Fb HTTP/1.1\nHost: HOST",
    "GET //x HTTP/1.1\nHost: HOST", "GET /x HTTP/1.1\nHost: HOST\nHost: HOST", "GET /x HTTP/1.1\nHost: HOST:80",
    "GET /x HTTP/1.1\nHost: HOST\nConnection: close", "GET /x HTTP/1.1\nHost: HOST\nContent-Length: 5",
    "DELETE /x HTTP/1.1\nHost: HOST\nTransfer-Encoding: chunked", "GET /x HTTP/1.1\nHost: HOST\nX: \x80\xff",
    "GET /x HTTP/1.1\nHost: HOST\nX_Y: 1", "GET /x HTTP/1.1\nHost: HOST\nX:", "GET /x HTTP/1.1\nHost: a_b",
    "GET /x HTTP/1.1\nHost: HOST\nUpgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABk",
    "GET /x HTTP/1.2\nHost: HOST", "GET /x⇥HTTP/1.1\nHost: HOST", "get /x HTTP/1.1\nHost: HOST", "GET /x#y HTTP/1.1\nHost: HOST",
]
MORE_HEADS = [
    # The first line: versions, spaces, line ends, methods.
    "GET /x HTTP/01.1\nHost: HOST", "GET /x HTTP/1.01\nHost: HOST", "GET /x HTTP/1.10\nHost: HOST", "GET /x HTTP/2.0\nHost: HOST",
    "GET /x HTTP/0.9\nHost: HOST", "GET /x HTTP/1\nHost: HOST", "GET /x HTTP/1.\nHost: HOST", "GET /x HTTP/ 1.1\nHost: HOST",
    "GET /x http/1.1\nHost: HOST", "GET /x HTTPS/1.1\nHost: HOST", "GET /x HTTP/+1.1\nHost: HOST", "GET /x HTTP/1,1\nHost: HOST",
    "GET /x HTTP/1.1 \nHost: HOST", "GET /x HTTP/1.1 HTTP/1.1\nHost: HOST", "GET /x  HTTP/1.1\nHost: HOST", " GET /x HTTP/1.1\nHost: HOST",
    "GET⇥/x HTTP/1.1\nHost: HOST", "GET /x", "GET /x\nHost: HOST", "GET HTTP/1.1\nHost: HOST", "GET /x HTTP/1.1␊Host: HOST",
    "GET /x HTTP/1.1␍Host: HOST", "␊GET /x HTTP/1.1\nHost: HOST", "\n\nGET /x HTTP/1.1\nHost: HOST", "G\xcbT /x HTTP/1.1\nHost: HOST",
    "GE(T /x HTTP/1.1\nHost: HOST", "G␀T /x HTTP/1.1\nHost: HOST", "M-SEARCH /x HTTP/1.1\nHost: HOST", "Get /x HTTP/1.1\nHost: HOST",
    # Forms of the target.
    "GET * HTTP/1.1\nHost: HOST", "OPTIONS * HTTP/1.1\nHost: HOST", "GET x HTTP/1.1\nHost: HOST", "GET ?x HTTP/1.1\nHost: HOST",
    "GET HOST:80 HTTP/1.1\nHost: HOST", "CONNECT HOST:80 HTTP/1.1\nHost: HOST", "CONNECT /x HTTP/1.1\nHost: HOST",
    "TRACE /x HTTP/1.1\nHost: HOST", "GET HTTP://HOST/x HTTP/1.1\nHost: HOST", "GET https://HOST/x HTTP/1.1\nHost: HOST",
    "GET ftp://HOST/x HTTP/1.1\nHost: HOST", "GET http://HOST HTTP/1.1\nHost: HOST", "GET http:///x HTTP/1.1\nHost: HOST",
    "GET http://u@HOST/x HTTP/1.1\nHost: HOST", "GET http://HOST/x HTTP/1.1", "GET http:/x HTTP/1.1\nHost: HOST",
    "GET http://HOST?x HTTP/1.1\nHost: HOST", "GET http://b/x HTTP/1.1\nHost: HOST\nHost: b", "GET /\xc3\xa9 HTTP/1.1\nHost: HOST",
    "GET /x\x7f HTTP/1.1\nHost: HOST", "GET /x␀y HTTP/1.1\nHost: HOST", "GET /x⇣y HTTP/1.1\nHost: HOST", "GET /a\\b HTTP/1.1\nHost: HOST",
    "GET /a/../x HTTP/1.1\nHost: HOST", "GET /%00 HTTP/1.1\nHost: HOST", "GET /\"<x>` HTTP/1.1\nHost: HOST", "GET /x?y#z HTTP/1.1\nHost: HOST",
    "GET /x y HTTP/1.1\nHost: HOST",
    # Hosts.
    "GET /x HTTP/1.1", "GET /x HTTP/1.0", "GET /x HTTP/1.1\nHost:", "GET /x HTTP/1.1\nHost: HOST\nHost: b",
    "GET /x HTTP/1.1\nHost: HOST, b", "GET /x HTTP/1.1\nHost: HOST b", "GET /x HTTP/1.1\nHost : HOST", "GET /x HTTP/1.1\n Host: HOST",
    "GET /x HTTP/1.1\nHost: HOST:", "GET /x HTTP/1.1\nHost: HOST:x", "GET /x HTTP/1.1\nHost: HOST:99999", "GET /x HTTP/1.1\nHost: HOST:080",
    "GET /x HTTP/1.1\nHost: HOST:-1", "GET /x HTTP/1.1\nHost: HOST:80:80", "GET /x HTTP/1.1\nHost: u@HOST", "GET /x HTTP/1.1\nHost: HOST/y",
    "GET /x HTTP/1.1\nHost: HOST?y", "GET /x HTTP/1.1\nHost: HOST#y", "GET /x HTTP/1.1\nHost: HOST\\y", "GET /x HTTP/1.1\nHost: HOST.",
    "GET /x HTTP/1.1\nHost: .HOST", "GET /x HTTP/1.1\nHost: HOST..", "GET /x HTTP/1.1\nHost: HOST␀", "GET /x HTTP/1.1\nHost: \xe4",
    "GET /x HTTP/1.1\nHost: %61", "GET /x HTTP/1.1\nHost: [::1]", "GET /x HTTP/1.1\nHost: [::1", "GET /x HTTP/1.1\nHost: HOST\n b",
    "GET /x HTTP/1.1\nHost:⇥HOST", "GET /x HTTP/1.1\nHost: HOST⇥", "GET /x HTTP/1.1\nhOST: HOST", "GET /x HTTP/1.1\nX: y\nHost: HOST",
    # Names and values.
    "GET /x HTTP/1.1\nHost: HOST\n: y", "GET /x HTTP/1.1\nHost: HOST\nX", "GET /x HTTP/1.1\nHost: HOST\nX y: z",
    "GET /x HTTP/1.1\nHost: HOST\nX␀: y", "GET /x HTTP/1.1\nHost: HOST\nX: a␀b", "GET /x HTTP/1.1\nHost: HOST\nX: a␍b",
    "GET /x HTTP/1.1\nHost: HOST\nX: a⇣b", "GET /x HTTP/1.1\nHost: HOST\nX: a\x7fb", "GET /x HTTP/1.1\nHost: HOST\nX: a\x1bb",
    "GET /x HTTP/1.1\nHost: HOST\nX\xe9: y", "GET /x HTTP/1.1\nHost: HOST\n(X): y", "GET /x HTTP/1.1\nHost: HOST\nX/Y: y",
    "GET /x HTTP/1.1\nHost: HOST\nX\"Y: y", "GET /x HTTP/1.1\nHost: HOST\nX.Y: y", "GET /x HTTP/1.1\nHost: HOST\n~!#$%&'*+-.^_`|: y",
    "GET /x HTTP/1.1\nHost: HOST\nX: y\n z", "GET /x HTTP/1.1\nHost: HOST\nX: y\n⇥z", "GET /x HTTP/1.1\nHost: HOST\nX: y\n ",
    "GET /x HTTP/1.1\nHost: HOST\nX: y␊", "GET /x HTTP/1.1\nHost: HOST\nX: y␊Y: z", "GET /x HTTP/1.1\nHost: HOST\nX: y␊␊",
    # What belongs to a connection.
    "GET /x HTTP/1.1\nHost: HOST\nConnection: keep-alive, close", "GET /x HTTP/1.1\nHost: HOST\nConnection: CLOSE",
    "GET /x HTTP/1.1\nHost: HOST\nConnection: Host", "POST /x HTTP/1.1\nHost: HOST\nConnection: Content-Length\nContent-Length: 5",
    "GET /x HTTP/1.1\nHost: HOST\nConnection: close, X\nX: y", "GET /x HTTP/1.1\nHost: HOST\nKeep-Alive: timeout=1",
    "GET /x HTTP/1.1\nHost: HOST\nProxy-Connection: close", "GET /x HTTP/1.1\nHost: HOST\nUpgrade: websocket\nConnection: Upgrade",
    "GET /x HTTP/1.1\nHost: HOST\nConnection: Upgrade\nUpgrade: TLS/1.0", "PRI * HTTP/2.0\n\nSM",
    # What asks the other side first, and bodies where nobody expects one.
    "POST /x HTTP/1.1\nHost: HOST\nExpect: 100-continue\nContent-Length: 5", "POST /x HTTP/1.1\nHost: HOST\nExpect: 100-Continue\nContent-Length: 5",
    "POST /x HTTP/1.1\nHost: HOST\nExpect: 200-ok\nContent-Length: 5", "POST /x HTTP/1.1\nHost: HOST\nExpect:\nContent-Length: 5",
    "POST /x HTTP/1.1\nHost: HOST\nExpect: 100-continue, x\nContent-Length: 5", "GET /x HTTP/1.1\nHost: HOST\nExpect: 100-continue",
    "POST /x HTTP/1.1\nHost: HOST\nExpect: y 100-continue\nContent-Length: 5", "POST /x HTTP/1.0\nHost: HOST\nExpect: 100-continue\nContent-Length: 5",
    "HEAD /x HTTP/1.1\nHost: HOST\nContent-Length: 5", "OPTIONS /x HTTP/1.1\nHost: HOST\nContent-Length: 5", "DELETE /x HTTP/1.1\nHost: HOST\nContent-Length: 5",
    "GET /x HTTP/1.1\nHost: HOST\nTransfer-Encoding: chunked", "POST /x HTTP/1.0\nHost: HOST\nTransfer-Encoding: chunked",
    "POST /x HTTP/1.0\nHost: HOST\nConnection: keep-alive\nContent-Length: 5", "POST /x HTTP/1.0\nHost: HOST\nConnection: keep-alive\nContent-Length: 5\nTransfer-Encoding: chunked",
    "POST /x HTTP/1.0\nHost: HOST\nConnection: keep-alive", "POST /x HTTP/1.1\nHost: HOST\nContent-Length: 40", "POST /x HTTP/1.1\nHost: HOST\nContent-Length: 4",
    "POST /x HTTP/1.1\nHost: HOST\nContent-Length: 6", "POST /x HTTP/1.1\nHost: HOST\nTransfer-Encoding: chunked\nContent-Length: 40",
]
# The rest of a message with `Transfer-Encoding: chunked`.
CHUNKS = [
    "5;x=y\nhello\n0\n\n", "5 ;x\nhello\n0\n\n", "05\nhello\n0\n\n", "5\nhello\n0;x\n\n", "5\nhello\n0\nX: y\n\n",
    "5\nhello\n0\nContent-Length: 5\n\n", "5\nhello␊0\n\n", "0x5\nhello\n0\n\n", "5⇥\nhello\n0\n\n",
    "5;a␊\nhello\n0\n\n", "00000000000000005\nhello\n0\n\n", "5;a=\"\n\"\nhello\n0\n\n", "5;a=\";\nhello\n0\n\n",
    "5\nhelloX\n0\n\n", "-5\nhello\n0\n\n", "5\nhello\n0\n X: y\n\n", "5;␀\nhello\n0\n\n", "100000000000000005\nhello\n0\n\n",
    "5\nhello\n0\n\n", "5␊hello\n0\n\n", "5\nhello\n0␊␊", "5\nhello\n0\n␊", "5␍hello\n0\n\n", "5\nhello␍0\n\n", "5\nhello0\n\n",
    "5 \nhello\n0\n\n", " 5\nhello\n0\n\n", "⇥5\nhello\n0\n\n", "\n5\nhello\n0\n\n", "+5\nhello\n0\n\n", "5.\nhello\n0\n\n", "5,\nhello\n0\n\n",
    "5_\nhello\n0\n\n", "5g\nhello\n0\n\n", "A\nhellohello\n0\n\n", "a\nhellohello\n0\n\n", "5\nhello\n00\n\n", "5\nhello\n000000000000000000\n\n",
    "5\nhello\n0 \n\n", "5\nhello\n0\n", "5\nhello\n", "5\nhel", "5\nhello\n\n", "0\n\n", "5;\nhello\n0\n\n", "5;;\nhello\n0\n\n",
    "5;a=b;c\nhello\n0\n\n", "5; a = b\nhello\n0\n\n", "5;a=\"b\nhello\n0\n\n", "5;\x7f\nhello\n0\n\n", "5;\xff\nhello\n0\n\n", "5;a␍b\nhello\n0\n\n",
    "5;a␊hello\n0\n\n", "fffffffffffffffb\nhello\n0\n\n", "8000000000000005\nhello\n0\n\n", "7fffffffffffffff\nhello\n0\n\n",
    "5\nhello\n0\nTransfer-Encoding: chunked\n\n", "5\nhello\n0\nHost: b\n\n", "5\nhello\n0\nX : y\n\n", "5\nhello\n0\nX\n\n",
    "5\nhello\n0\nX: y␊\n", "5\nhello\n0\nX: a␀b\n\n", "5\nhello\n0\n: y\n\n", "5\nhello\n0\nX: y\n z\n\n", "5\nhello\n0\nConnection: close\n\n",
]
BODIES = ["", "hello", "5\nhello\n0\n\n", "0\n\n"]


def wire(text, host="a"):
    """The bytes of a text."""
    for sign, bytes in SIGNS:
        text = text.replace(sign, bytes)
    return text.replace("HOST", host).encode("latin-1")


def message(length, coding):
    return "POST /x HTTP/1.1\nHost: HOST\n" + "".join(field + "\n" for field in (length, coding) if field)


def cases():
    """What has a row of its own where readers disagree: its family and the odd part, and the whole stream."""
    found = {}
    for length in LENGTHS + MORE_LENGTHS:
        # What is folded into the host before it announces nothing.
        found["length", length] = message(length, "") + ("\n" if length.startswith(" ") else "\nhello") + NEXT
    for coding in CODINGS + MORE_CODINGS:
        found["coding", coding] = message("", coding) + ("\n" if coding.startswith(" ") else "\n5\nhello\n0\n\n") + NEXT
    for head in HEADS + MORE_HEADS:
        body = "hello" if "Content-Length" in head else "5\nhello\n0\n\n" if "chunked" in head else ""
        found["head", head] = head + "\n\n" + body + NEXT
    for chunks in CHUNKS:
        found["chunks", chunks] = message("", "Transfer-Encoding: chunked") + "\n" + chunks + NEXT
    found["both", "Content-Length: 5\nTransfer-Encoding: chunked"] = (
        message("Content-Length: 5", "Transfer-Encoding: chunked") + "\n5\nhello\n0\n\n" + NEXT)
    return found


def combinations():
    """Each length with each coding and each body, and each head with each body: the parts, and the whole stream."""
    for length in LENGTHS:
        for coding in CODINGS:
            for body in BODIES:
                yield (("length", length), ("coding", coding)), message(length, coding) + "\n" + body + NEXT
    for head in HEADS:
        for body in BODIES:
            yield (("head", head),), head + "\n\n" + body + NEXT
