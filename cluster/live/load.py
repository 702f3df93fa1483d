#!/usr/bin/env python3
"""What the live page costs a coordinator of many workers and CTs.

    load.py QUINTET [--workers 1000] [--items 100000] [--listeners 32] [--chromium]

`quintet bench stream` twice: without the page, and with so many listeners, each of which takes the stream and asks every
two seconds for a page of workers and one of answers, as an open page does. With --chromium (needs playwright) a browser
opens the page in the middle of it. Prints one JSON object a line.
"""
import argparse
import json
import socket
import subprocess
import threading
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Listener(threading.Thread):
    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.stream_bytes, self.list_bytes, self.messages, self.seconds = url, 0, 0, 0, []
        self.is_ending = False

    def run(self):
        threading.Thread(target=self.ask, daemon=True).start()
        try:
            with urllib.request.urlopen(self.url + "events", timeout=30) as stream:
                for line in stream:
                    self.stream_bytes += len(line)
                    self.messages += line.startswith(b"data")
                    if self.is_ending:
                        return
        except OSError:
            pass  # the coordinator has ended

    def ask(self):
        while not self.is_ending:
            for path in ("workers?offset=500", "pieces?run=1&what=answers"):
                begin = time.monotonic()
                try:
                    with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                        self.list_bytes += len(answer.read())
                except OSError:
                    return
                self.seconds.append(time.monotonic() - begin)
            time.sleep(2)


def open_in_browser(url, found):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        begin = time.monotonic()
        page.goto(url)
        page.locator("#workers tbody tr").first.wait_for(timeout=60_000)
        found["workers_shown_s"] = time.monotonic() - begin
        page.locator("article progress").first.wait_for(timeout=60_000)
        found["run_shown_s"] = time.monotonic() - begin
        begin = time.monotonic()
        page.get_by_label("Search").last.fill("bench777")
        page.get_by_text("1 to 1 of 1 (of").wait_for(timeout=60_000)
        found["searched_s"] = time.monotonic() - begin
        browser.close()


def measure(listener_count, chromium):
    port = free_port()
    arguments = [options.quintet, "bench", "stream", "--workers", str(options.workers), "--items", str(options.items)]
    if listener_count:
        arguments += ["--http", f"127.0.0.1:{port}"]
    bench = subprocess.Popen(arguments + ["--json"], stdout=subprocess.PIPE, text=True)
    url, listeners, browser = f"http://127.0.0.1:{port}/", [], {}
    if listener_count:
        while bench.poll() is None:
            try:
                urllib.request.urlopen(url, timeout=5).read()
                break
            except OSError:
                time.sleep(0.1)
        listeners = [Listener(url) for _ in range(listener_count)]
        began = time.monotonic()
        for listener in listeners:
            listener.start()
        if chromium:
            time.sleep(8)
            open_in_browser(url, browser)
    told = json.loads(bench.communicate()[0])
    result = {"listeners": listener_count, **{k: told[k] for k in (
        "itemsPerSecond", "heartbeatMillisecondsMedian", "heartbeatMilliseconds99", "heartbeatMillisecondsMax",
        "coordinatorSecondsPerItem", "residentBytesPeak", "seconds")}}
    if listeners:
        seconds = time.monotonic() - began
        asked = sorted(s for listener in listeners for s in listener.seconds)
        result |= {
            "stream_bytes_a_second_each": sum(l.stream_bytes for l in listeners) / listener_count / seconds,
            "list_bytes_a_second_each": sum(l.list_bytes for l in listeners) / listener_count / seconds,
            "messages_a_second_each": sum(l.messages for l in listeners) / listener_count / seconds,
            "list_s_median": asked[len(asked) // 2], "list_s_99": asked[len(asked) * 99 // 100], **browser}
    print(json.dumps(result))


parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("quintet")
parser.add_argument("--workers", type=int, default=1000)
parser.add_argument("--items", type=int, default=100_000)
parser.add_argument("--listeners", type=int, default=32)
parser.add_argument("--chromium", action="store_true")
options = parser.parse_args()
measure(0, False)
measure(max(1, options.listeners - (1 if options.chromium else 0)), options.chromium)
