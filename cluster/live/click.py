#!/usr/bin/env python3
"""Clicks through the live page as a person would, and looks whether what it says is so.

    click.py QUINTET OUT

A coordinator with a token and two workers train and answer phantoms. In headless Chromium: a wrong token, the right
one, the loss growing, a hostile label, an archive's answers and refusals, a run cancelled and a worker drained by a
click, each compared with `quintet status --json`. Screenshots of 400 and 1200 pixels, light and dark, go to OUT.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from playwright.sync_api import sync_playwright

QUINTET, OUT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
# What computes may be another build than the coordinator, which is what is looked at.
COMPUTES = os.path.abspath(os.environ.get("QUINTET_COMPUTES", QUINTET))
HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'
processes = []


def quintet(*arguments, **options):
    return subprocess.run([COMPUTES, *arguments], check=True, capture_output=True, text=True, **options).stdout


def start(name, *arguments):
    log = open(os.path.join(folder, name + ".log"), "w+")
    program = QUINTET if name == "coordinator" else COMPUTES
    process = subprocess.Popen([program, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    processes.append(process)
    return process, log


def until(what, found, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = found()
        if value:
            print(f"  {what}")
            return value
        time.sleep(0.3)
    raise SystemExit(f"click.py: not within {seconds} s: {what}")


def shots(page, name):
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (400, 1200):
            page.set_viewport_size({"width": width, "height": 900})
            time.sleep(0.4)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name}: {wide} pixels wide in a window of {width}"
            page.screenshot(path=os.path.join(OUT, f"{name}-{width}-{scheme}.png"), full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1200, "height": 900})


def iteration(page):
    label = page.locator("svg.chart[role=img]").first.get_attribute("aria-label") or ""
    match = re.search(r"up to iteration ([0-9,]+)", label)
    return int(match[1].replace(",", "")) if match else 0


def prepare():
    quintet("phantom", "--out", "play", "--count", "2", "--diseased", "2", "--spacing", "4,3.2,3.2", cwd=folder)
    quintet("prepare", "play/healthy", "--masks", "play/lungs", "--out", "data", "--preset", "demo", cwd=folder)
    os.makedirs(os.path.join(folder, "archive"))
    for number in range(8):
        source = os.path.join(folder, "play", ("healthy", "diseased")[number % 2])
        file = sorted(os.listdir(source))[number // 2 % 2]
        os.link(os.path.join(source, file), os.path.join(folder, "archive", f"patient-{number}.nii.gz"))
    with open(os.path.join(folder, "archive", "broken.nii.gz"), "wb") as file:
        file.write(b"no image")


def serve():
    quintet("token", "new", "token", cwd=folder)
    _, log = start(
        "coordinator", "coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
        "--token-file", "token", "--port-file", "port")

    def address():
        log.seek(0)
        match = re.search(r"live page at (http://[^/]+/)", log.read())
        return match and match[1]

    url = until("the coordinator serves its page", address)
    port = open(os.path.join(folder, "port")).read().strip()
    return url, ["--coordinator", f"127.0.0.1:{port}", "--token-file", "token"]


def status(there):
    return json.loads(quintet("status", "--json", *there, cwd=folder))


def log_in(context, page, url):
    page.goto(url)
    page.get_by_label("Token").wait_for()
    assert "lab1" not in page.content(), "something is shown before the login"
    shots(page, "login")
    page.get_by_label("Token").fill("0" * 64)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("that is not this cluster's token").wait_for()
    page.get_by_label("Token").fill(open(os.path.join(folder, "token")).read().strip())
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Runs").wait_for()
    cookie, = context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and cookie["expires"] == -1, cookie
    print("  a wrong token is refused, the right one lets in; the cookie ends with the browser")


def watch(page, there):
    first = until("a curve is drawn", lambda: iteration(page))
    later = until("the curve grows", lambda: iteration(page) > first and iteration(page))
    told = status(there)["runs"][-1]
    assert later <= max(replica["iteration"] for replica in told["replicas"]), "the page is ahead of the coordinator"
    page.get_by_text(HOSTILE, exact=False).first.wait_for()
    assert page.evaluate("window.broken === undefined") and page.locator("#page img").count() == 0
    print("  a hostile label is a text")
    shots(page, "training")


def cancel(page, there, run):
    page.get_by_role("button", name=f"Cancel run {run}", exact=True).click()
    page.get_by_role("button", name="No").click()
    assert next(r for r in status(there)["runs"] if r["id"] == run)["state"] == "running"
    page.get_by_role("button", name=f"Cancel run {run}", exact=True).click()
    shots(page, "question")
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_text(f"Run {run} is cancelled.").wait_for()
    until("status says cancelled, too",
          lambda: next(r for r in status(there)["runs"] if r["id"] == run)["state"] == "cancelled")
    page.locator("#ended summary").first.click()
    page.locator(f"article[data-run='{run}']").get_by_text("cancelled").first.wait_for()
    print("  the page shows it among the ended ones")


def pause(page, there, run):
    page.get_by_role("button", name=f"Pause run {run}", exact=True).click()
    page.locator("#ask-yes").click()
    page.get_by_role("button", name=f"Resume run {run}", exact=True).wait_for()
    assert next(r for r in status(there)["runs"] if r["id"] == run)["isPaused"]
    page.get_by_role("button", name=f"Resume run {run}", exact=True).click()
    page.locator("#ask-yes").click()
    page.get_by_role("button", name=f"Pause run {run}", exact=True).wait_for()
    print("  pause and resume are heard")


def drain(page, worker):
    page.get_by_label("Search").last.fill("lab2")
    button = page.get_by_role("button", name="Drain lab2")
    until("the worker is found", lambda: button.count() == 1)
    button.click()
    page.locator("#ask-yes").click()
    page.get_by_text("is asked to leave").wait_for()
    code = worker.wait(timeout=60)
    assert code == 0, f"the worker has left with {code}"
    print("  the worker has handed its work back and left with 0")


def archive(page):
    card = page.locator("article").filter(has_text="segment").first
    until("answers are listed", lambda: card.get_by_text("patient-").count() > 0, 240)
    card.get_by_text("lesionML").first.wait_for()
    card.get_by_label("Search").first.fill("patient-3")
    until("the search finds one", lambda: card.locator("section[aria-label='Latest answers'] tbody tr").count() == 1)
    card.get_by_label("Search").first.fill("")
    shots(page, "archive")


def go(browser, url, there, workers):
    context = browser.new_context()
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    log_in(context, page, url)
    watch(page, there)
    run = max(r["id"] for r in status(there)["runs"] if r["state"] == "running")
    pause(page, there, run)
    drain(page, workers[1])
    page.get_by_label("Search").last.fill("")
    cancel(page, there, run)
    start("segment", "segment", "--run", "small", "--in", "archive", "--out", "answers", *there)
    archive(page)
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Token").wait_for()
    # Those of answers that were refused on purpose are the browser's own lines.
    errors = [error for error in errors if "40" not in error]
    assert not errors, errors
    print("  no error in the browser")


with tempfile.TemporaryDirectory() as folder:
    os.makedirs(OUT)
    prepare()
    url, there = serve()
    workers = [
        start(name, "worker", "--name", name, "--threads", "1", "--cache", "cache-" + name, *there)[0]
        for name in ("lab1", "lab2")
    ]
    try:
        quintet("train", "--data", "data", "--run", "small", "--iterations", "12", "--replicas", "3", *there, cwd=folder)
        start("train", "train", "--data", "data", "--run", "long", "--iterations", "100000", "--replicas", "3",
              "--checkpoint-seconds", "2", "--label", HOSTILE, *there)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            go(browser, url, there, workers)
            browser.close()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
print(f"done; look at the pictures in {OUT}")
