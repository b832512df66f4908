"""Every file of the picker, in every coding, and nothing that is not a file of the picker."""

import gzip
import shutil
import subprocess

import brotli
import pytest

from harness.router import ROOT

PUBLIC = ROOT / "Public"
FILES = sorted(
    path.relative_to(PUBLIC).as_posix() for path in PUBLIC.rglob("*")
    if path.is_file() and path.name != "404.html" and not any(part.startswith(".") for part in path.relative_to(PUBLIC).parts)
) if PUBLIC.exists() else []


@pytest.mark.parametrize("file", FILES)
def test_every_coding_gives_the_file_s_bytes_and_the_second_visit_304(router, file):
    content = (PUBLIC / file).read_bytes()
    tags = set()
    for coding, decode in [("br", brotli.decompress), ("gzip", gzip.decompress), ("identity", lambda body: body)]:
        fields = {"Accept-Encoding": coding}
        answer = router.request("GET", f"/{file}", fields=fields)
        assert answer.status == 200, answer
        used = answer.fields.get("Content-Encoding", "identity")
        assert used in (coding, "identity")
        assert (decode(answer.body) if used == coding else answer.body) == content
        assert answer.fields["X-Content-Type-Options"] == "nosniff"
        assert "Content-Type" in answer.fields and "Cache-Control" in answer.fields
        etag = answer.fields["ETag"]
        assert not etag.startswith("W/")
        tags.add((used, etag))

        head = router.request("HEAD", f"/{file}", fields=fields)
        assert head.status == 200 and head.fields["Content-Length"] == answer.fields["Content-Length"]
        again = router.request("GET", f"/{file}", fields={**fields, "If-None-Match": etag})
        assert again.status == 304 and again.body == b"" and again.fields["ETag"] == etag
    # Variants are different bytes, so their strong tags differ, and caches are told what chose them.
    assert len({etag for _, etag in tags}) == len({used for used, _ in tags})
    if len(tags) > 1:
        assert "accept-encoding" in answer.fields["Vary"].lower()


@pytest.mark.parametrize("coding", ["br", "gzip", None])
@pytest.mark.parametrize("file", FILES)
def test_curl_gets_the_file_s_bytes(router, file, coding, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("no curl")
    url = f"http://127.0.0.1:{router.port}/{file}"
    chosen = ["--compressed", "-H", f"Accept-Encoding: {coding}"] if coding else []
    output = tmp_path / "file"
    subprocess.run(
        ["curl", "-sSf", *chosen, "-H", f"Host: {router.host}", "-o", output, url], check=True, timeout=60)
    assert output.read_bytes() == (PUBLIC / file).read_bytes()


def test_a_range_is_that_part_of_the_file(router):
    file = max(FILES, key=lambda name: (PUBLIC / name).stat().st_size)
    content = (PUBLIC / file).read_bytes()
    fields = {"Accept-Encoding": "identity"}
    part = router.request("GET", f"/{file}", fields={**fields, "Range": "bytes=10-19"})
    assert part.status == 206 and part.body == content[10:20]
    assert part.fields["Content-Range"] == f"bytes 10-19/{len(content)}"
    assert router.request("GET", f"/{file}", fields={**fields, "Range": "bytes=-5"}).body == content[-5:]
    beyond = router.request("GET", f"/{file}", fields={**fields, "Range": f"bytes={len(content)}-"})
    assert beyond.status == 416


@pytest.mark.parametrize("path", ["/", "/session/0123456789ab", "/settings"])
def test_the_picker_s_own_addresses_show_the_picker(router, path):
    answer = router.request("GET", path, fields={"Accept": "text/html"})
    assert answer.status == 200 and answer.body == (PUBLIC / "index.html").read_bytes()


@pytest.mark.parametrize("path", ["/nothing", "/session/xyz", "/session/0123456789ab/more", "/settings/x", "/index.htm"])
def test_other_addresses_are_not_found(router, path):
    assert router.request("GET", path).status == 404


@pytest.mark.parametrize("path", [
    "/../Package.swift", "/%2e%2e/Package.swift", "/..%2fPackage.swift", "/%252e%252e/Package.swift",
    "/.git/config", "/.hidden", "/assets/../../Package.swift", "/%00", "/index.html%00.js", "//etc/passwd",
    "/..%5cPackage.swift", "/%c0%ae%c0%ae/Package.swift", "/./", "/index.html/",
])
def test_nothing_outside_the_folder_is_served(router, path):
    answer = router.request("GET", path)
    assert answer.status in (400, 404), answer
    assert b"PackageDescription" not in answer.body and b"root:" not in answer.body


def test_what_is_not_there_has_a_page_that_says_so(router):
    answer = router.request("GET", "/nothing", fields={"Accept": "text/html"})
    assert answer.status == 404
    assert answer.body == (PUBLIC / "404.html").read_bytes()
    assert answer.fields["Content-Type"].startswith("text/html")


def test_unknown_api_is_a_json_404_and_never_the_picker(router):
    answer = router.request("GET", "/api/status", fields={"Accept": "text/html"})
    assert answer.status == 404
    assert answer.fields["Content-Type"].startswith("application/json")
    assert set(answer.json()) == {"error", "code"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_files_are_only_read(router, method):
    answer = router.request(method, "/index.html", body=b"")
    assert answer.status == 405, answer
    assert "GET" in answer.fields["Allow"]


def test_operations_are_not_reachable_through_the_public_listener(router):
    for path in ["/metrics", "/healthz", "/readyz"]:
        assert router.request("GET", path).status == 404
