"""DEV_POD_PROXY_TARGET: in development every well-formed session host is one place, a running session of whoever asks."""

import pytest

SECRET = "0123456789abcdef0123"
ALICE, BOB = "alice@example.com", "bob@example.com"
BY_PROOF = {"DEV_EMAIL": None, "AUTH_SECRET": SECRET}
SETTINGS = {"ROUTER_DOMAIN": "example.test", "WORKERS": 1}


def ask(router, label, fields):
    return router.request("GET", "/", f"{label}.example.test", fields)


def proof(email, secret=SECRET):
    return {"X-Auth-Request-Email": email, "X-Gateway-Key": secret}


@pytest.fixture(scope="module", params=[({}, [{}]), (BY_PROOF, [proof(ALICE), proof(BOB)])], ids=["DEV_EMAIL", "proof"])
def world(request, start_router, shared):
    """A router, and the fields of all who may ask it."""
    settings, people = request.param
    shared.script = lambda peer: peer.serve(b"session")
    router = start_router(DEV_POD_PROXY_TARGET=f"http://127.0.0.1:{shared.port}", **SETTINGS, **settings)
    yield router, people
    router.stop()


@pytest.fixture(scope="module")
def plain(start_router):
    """The same without the setting."""
    router = start_router(**SETTINGS)
    yield router
    router.stop()


@pytest.mark.parametrize("label", ["aaaaaaaaaaaa", "000000000000", "ffffffffffff", "0123456789ab", "ABCDEFabcdef"])
def test_every_well_formed_session_host_leads_there_for_whoever_asks(world, shared, label):
    router, people = world
    shared.requests.clear()
    for fields in people:
        answer = ask(router, label, fields)
        assert (answer.status, answer.body) == (200, b"session"), answer
    assert [request.line for request in shared.requests] == ["GET / HTTP/1.1"] * len(people)
    assert all("X-Gateway-Key" not in request.fields for request in shared.requests)


@pytest.mark.parametrize("label", ["0-aaaaaaaaaaaa", "99999-aaaaaaaaaaaa", "x-aaaaaaaaaaaa", "-aaaaaaaaaaaa"])
def test_a_malformed_one_is_the_404_of_any_session_that_there_is_not(world, shared, plain, label):
    router, people = world
    shared.requests.clear()
    answer, unknown = ask(router, label, people[0]), ask(plain, "aaaaaaaaaaaa", {})
    assert (answer.status, answer.body) == (404, unknown.body)
    assert shared.requests == []


@pytest.mark.parametrize("label", ["aaaaaaaaaaa", "aaaaaaaaaaaaa", "aaaaaaaaaaag", "a.aaaaaaaaaaaa", "code"])
def test_what_is_no_session_host_is_answered_as_ever(world, shared, plain, label):
    router, people = world
    shared.requests.clear()
    answer, usual = ask(router, label, people[0]), ask(plain, label, {})
    assert (answer.status, answer.body) == (usual.status, usual.body)
    assert shared.requests == []


def test_who_proves_nothing_is_led_nowhere(start_router, shared):
    router = start_router(DEV_POD_PROXY_TARGET=f"http://127.0.0.1:{shared.port}", **SETTINGS, **BY_PROOF)
    shared.requests.clear()
    for fields in ({}, {"X-Auth-Request-Email": ALICE}, proof(ALICE, "wrong")):
        assert ask(router, "aaaaaaaaaaaa", fields).status == 401
    assert shared.requests == []
    router.stop()
