"""What becomes of a visitor's pictures, and who may make the page do what."""

import hashlib
import json

from playwright.sync_api import expect

from tests.serving.page.choosing import choose


def test_the_page_says_what_becomes_of_pictures_and_what_is_forbidden(page):
    text = page.locator("main").inner_text()
    assert "stay in this browser, but for the frames that are sent" in text
    assert "Nothing of it is stored, unless" in text
    assert "work and in education is forbidden" in text
    assert "Article 5(1)(f)" in text


def test_nothing_of_a_picture_is_kept_in_the_browser(page, png):
    choose(page, png)
    expect(page.locator(".box")).to_have_count(4)
    page.get_by_role("button", name="Tiếng Việt").click()
    assert page.evaluate("Object.keys(localStorage)") == ["mien.language"]
    assert page.evaluate("sessionStorage.length") == 0
    assert page.evaluate("indexedDB.databases()") == []
    assert page.context.cookies() == []


def test_the_page_speaks_to_its_own_host_alone(page, service, png):
    addresses = []
    page.on("request", lambda request: addresses.append(request.url))
    page.reload()
    choose(page, png)
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator(".box")).to_have_count(1)
    assert len(addresses) > 20
    assert all(url.startswith((service.address, "blob:")) for url in addresses)
    assert page.complaints == []


def test_a_service_with_keys_is_used_with_a_key(visit, serve, png, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"ann {hashlib.sha256(b'right').hexdigest()}\n")
    with serve(MIEN_KEYS=str(keys)) as guarded:
        page = visit(address=guarded.address)
        field = page.get_by_label("API key")
        field.fill("wrong")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("does not take this key")
        field.fill("right")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator("#model")).to_contain_text("tested")
        choose(page, png)
        expect(page.locator(".box")).to_have_count(4)
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_a_script_from_elsewhere_is_refused_by_the_policy(page, service):
    assert "script-src 'self'" in service.http.get("/").headers["content-security-policy"]
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " { textContent: 'window.hacked = true' }))"
    )
    assert page.evaluate("window.hacked") is None


def test_what_the_page_is_made_of_has_its_policy_and_the_rest_is_a_problem(service):
    for path in ("/", "/page/main.js", "/page/style.css", "/page/examples/group.png"):
        answer = service.http.get(path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("/page/nothing.js", "/page/../app.py", "/page/%2e%2e/app.py"):
        service.problem(service.http.get(path), 404, "not-found")
    assert json.loads(service.http.get("/openapi.json").text)["paths"].keys().isdisjoint({"/"})
