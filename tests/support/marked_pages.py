"""A marked patient on the pages: sign-in, triage, sandbox, review."""

import re

import httpx

from cds_service.context import ProcessContext
from cds_service.services.attempts import ACCOUNT_FREE
from tests.support.marked import PATIENT
from tests.support.marked_sender import FORM, Sender
from tests.support.review_pages import ask


def visit_pages(sender: Sender) -> None:
    """Pages that all others stand on, with marks in query, cookies and forms."""
    send = sender.send
    sender.seen.add(("GET", "/"))
    assert sender.http.get("/").status_code in (200, 303)
    send(404, "GET", "/static/{name}", name="xqz.css")
    send(404, "GET", "/xqz/Patient/4711", headers={"Accept": "text/html"})
    send(200, "GET", "/session", headers={"Cookie": "cds_session=xqz.xqz"})
    for path in ("/session", "/sign-out"):
        send(403, "POST", path, b"csrf=xqz", headers={"Content-Type": FORM})
        send(403, "POST", path, b"csrf=xqz", headers={"Content-Type": FORM, "Accept": "text/html"})
    for path in ("/sign-in/provider", "/sign-in/callback"):
        send(404, "GET", path, headers={"Cookie": "cds_provider=xqz"})
    send(200, "GET", "/sign-in/provider/out")
    page = send(200, "GET", "/sign-in")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token is not None
    browser = {
        "Origin": str(sender.http.base_url).rstrip("/"),
        "Cookie": f"cds_form={page.cookies['cds_form']}",
        "Content-Type": FORM,
    }
    sender.http.cookies.clear()
    fields = f"csrf={token[1]}&name=xqz-name&password=xqz-password".encode()
    send(403, "POST", "/sign-in", fields, headers={"Content-Type": FORM})
    for _ in range(ACCOUNT_FREE):
        send(403, "POST", "/sign-in", fields, headers=browser)
    send(429, "POST", "/sign-in", fields, headers=browser)
    for bad in (b"\xff", b"xqz=%ff", "xqz=ñ".encode()):
        send(400, "POST", "/sign-in", bad, headers=browser)


def triage(sender: Sender) -> None:
    """The triage pages, with marks in every field; what was typed may stand on the page alone."""
    send, http = sender.send, sender.http
    browser = {"Origin": str(http.base_url).rstrip("/"), "Content-Type": FORM}
    page = send(200, "GET", "/triage/policy", headers={"Accept": "text/html"})

    def post(status: int, path: str, text: str, **parts: str) -> httpx.Response:
        token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        content = f"csrf={token}&{text}".encode()
        sender.seen.add(("POST", path))
        sender.statuses.add(status)
        response = http.post(path.format(**parts), content=content, headers=browser)
        assert response.status_code == status, (path, response.text)
        return response

    post(303, "/triage/policy", "agree=1&name=xqz")
    page = send(200, "GET", "/triage", headers={"Accept": "text/html"})
    post(422, "/triage", "heart_rate=137.31337&sex=xqz&birth_date=1961-07-23&age=xqz&name=xqz")
    right = "birth_date=1961-07-23&heart_rate=118&body_temperature=38.7&temperature_unit=Cel"
    for sex in ("other", "female"):
        sent = post(303, "/triage", f"{right}&sex={sex}&number=xqz&sent=xqz&comment=xqz")
    case = sent.headers["location"].rpartition("/")[2]
    result = "/triage/results/{identifier}"
    send(200, "GET", result, identifier=case)
    send(404, "GET", result, identifier=PATIENT)
    explanation = "/assessments/{identifier}"
    send(200, "GET", explanation, identifier=case)
    send(404, "GET", explanation, identifier=PATIENT)
    send(410, "GET", "/explanations/{token}", token=PATIENT)
    post(422, "/triage/find", "number=xqz")
    post(404, "/triage/find", "number=1111-1111")
    post(500, f"{result}/feedback", "reason=mild&comment=Xqz+says+137.31337", identifier=case)
    post(422, f"{result}/feedback", "reason=xqz", identifier=case)
    post(422, f"{result}/outcome", "category=xqz", identifier=case)
    post(303, f"{result}/outcome", "category=mild&comment=xqz", identifier=case)
    post(204, "/triage/kept", f"{right}&number=xqz")
    post(200, "/triage/back", "sealed=xqz")
    send(200, "GET", "/triage/signed-in", headers={"Accept": "text/html"})
    for sent_to in ("/triage/find", "/triage/back", f"{result}/feedback", f"{result}/outcome"):
        send(303, "GET", sent_to, headers={"Accept": "text/html"}, identifier=case)
    for path in ("/triage", "/triage/policy", "/triage/find", "/triage/kept", "/triage/back"):
        send(403, "POST", path, b"csrf=xqz", headers={"Content-Type": FORM})


def play_the_record(sender: Sender) -> None:
    """The sandbox, with marks in every field: what was typed may stand on its pages alone."""
    send, http = sender.send, sender.http
    browser = {"Origin": str(http.base_url).rstrip("/"), "Content-Type": FORM}
    chart = "/sandbox/patients/{key}"
    token = http.get("/sandbox/patients/mild").text.split('name="csrf" value="')[1].split('"')[0]

    def post(status: int, path: str, text: str, **parts: str) -> httpx.Response:
        sender.seen.add(("POST", path))
        content = f"csrf={token}&{text}".encode()
        response = http.post(path.format(**parts), content=content, headers=browser)
        assert response.status_code == status, (path, response.text)
        return response

    send(200, "GET", "/sandbox")
    send(200, "GET", chart, key="mild")
    send(404, "GET", chart, key=PATIENT)
    post(422, chart, "heart_rate=xqz&heart_rate_minutes=1", key="mild")
    read = "heart_rate=137.31337&heart_rate_minutes=1&xqz=xqz&body_temperature_unit=xqz"
    sent = post(303, chart, read, key="septic")
    visit = {"identifier": sent.headers["location"].rpartition("/")[2].partition("#")[0]}
    one = "/sandbox/visits/{identifier}"
    send(200, "GET", one, **visit)
    send(303, "GET", one, identifier=PATIENT)
    post(303, f"{one}/accept", "card=xqz", **visit)
    post(303, f"{one}/override", "card=0&reason=xqz&comment=Xqz+says+137.31337", **visit)
    post(303, f"{one}/diagnosis", "code=A41.9&comment=xqz", **visit)
    post(404, f"{one}/diagnosis", "code=xqz", **visit)
    send(403, "POST", chart, b"csrf=xqz", headers={"Content-Type": FORM}, key="mild")


def review(sender: Sender, context: ProcessContext) -> None:
    """The review pages, with a marked patient in the queue and marks in every field."""
    send, http = sender.send, sender.http
    browser = {"Origin": str(http.base_url).rstrip("/"), "Content-Type": FORM}
    case = ask(context, patient=PATIENT)
    ask(context, patient=f"{PATIENT}-2", priority=0.5)
    send(200, "GET", "/review", headers={"Accept": "text/html"})
    page = send(200, "GET", "/review/case", headers={"Accept": "text/html"}).text

    def post(status: int, path: str, text: str) -> httpx.Response:
        token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        sender.seen.add(("POST", path))
        response = http.post(path, content=f"csrf={token}&{text}".encode(), headers=browser)
        assert response.status_code == status, (path, response.text)
        return response

    named = post(200, "/review/case", f"item={case}&name_patient=1")
    assert PATIENT in named.text
    post(422, "/review/case", f"item={case}&answer=xqz&rare=Xqz+137.31337")
    post(200, "/review/rare", "rare=Xqz+137.31337")
    post(303, "/review/case", f"item={PATIENT}&answer=1")
    post(303, "/review/case", f"item={case}&answer=1&rare=558&comment=xqz")
    send(200, "GET", "/review/last", headers={"Accept": "text/html"})
    post(422, "/review/last", f"item={case}&answer=2&rare=Xqz+137.31337")
    post(303, "/review/last", f"item={case}&answer=2")
    for path in ("/review/case", "/review/last", "/review/rare"):
        send(403, "POST", path, b"csrf=xqz", headers={"Content-Type": FORM})
