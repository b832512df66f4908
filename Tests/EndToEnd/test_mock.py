"""The mock cluster: three sessions in memory, for working on the picker."""

import pytest


@pytest.fixture(scope="module")
def router(start_router):
    return start_router(MOCK_K8S="true", DEV_EMAIL=None, SESSION_RUNTIME=None, AGENT_COMMAND=None)


def test_three_sessions_are_there_and_the_third_comes_up(router):
    found = {one["hash"]: one for one in router.api("GET", "/sessions")["sessions"]}
    assert set(found) == {"abc123def456", "deadbeef1234", "cafe00112233"}
    assert found["abc123def456"]["state"] == "running" and found["deadbeef1234"]["state"] == "stopped"
    assert router.api("GET", "/me")["email"] == "dev@local.test"
    assert router.wait_for_state("cafe00112233", "running")["url"]


def test_its_sessions_show_the_demonstration_agent(router):
    session = router.session("abc123def456")
    assert b"demo" in router.request("GET", "/", router.session_host(session)).body.lower()
    assert router.request("GET", "/global/health", router.session_host(session)).json()["healthy"] is True


def test_a_stopped_session_is_resumed_and_deleted(router):
    router.api("POST", "/sessions/deadbeef1234/resume")
    router.wait_for_state("deadbeef1234", "running")
    router.api("POST", "/sessions/deadbeef1234/stop")
    router.wait_for_state("deadbeef1234", "stopped")
    router.api("DELETE", "/sessions/deadbeef1234", status=204)
    router.api("GET", "/sessions/deadbeef1234", status=404)


def test_variables_are_kept_for_the_settings_page(router):
    router.api("POST", "/user/secret", {"secrets": {"MOCK_KEY": "x"}})
    assert router.api("GET", "/user/secret")["keys"] == ["MOCK_KEY"]
