"""A headless chromium that is spoken to in its own protocol (the Chrome DevTools Protocol), over a pair of pipes: no port, no package.

    with devtools.Browser() as browser, browser.page(width=1300) as page:
        page.go("file:///tmp/page.html")
        page.run("document.title")
"""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 300  # seconds for one answer: machines of tests are slow


def find():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Problem(Exception):
    """What the browser says went wrong."""


class Browser:
    def __init__(self, *arguments):
        self.profile = tempfile.mkdtemp()
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, from_browser)]

        def place():  # the browser reads from file 3 and writes to file 4
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [find(), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={self.profile}", "--no-first-run",
             *arguments, "about:blank"], preexec_fn=place, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self.number, self.read, self.events = 0, b"", []

    def _receive(self, until):
        """The next message."""
        while b"\0" not in self.read:
            if not select.select([self.into], [], [], max(0, until - time.monotonic()))[0]:
                raise Problem("no answer")
            more = os.read(self.into, 1 << 20)
            if not more:
                raise Problem("the browser has ended")
            self.read += more
        message, _, self.read = self.read.partition(b"\0")
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        until = time.monotonic() + PATIENCE
        while (answer := self._receive(until)).get("id") != self.number:
            self.events.append(answer)
        if "error" in answer:
            raise Problem(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait(self, method, session):
        """The first event of this name that was not waited for."""
        until = time.monotonic() + PATIENCE
        while True:
            for i, event in enumerate(self.events):
                if event.get("method") == method and event.get("sessionId") == session:
                    del self.events[:i + 1]
                    return event["params"]
            self.events.append(self._receive(until))

    def seconds(self):
        """Processor time of all processes of the browser until now, by their kind."""
        taken = {}
        for process in self.call("SystemInfo.getProcessInfo")["processInfo"]:
            taken[process["type"]] = taken.get(process["type"], 0) + process["cpuTime"]
        return taken

    def page(self, width=1300, height=900, theme="light"):
        return Page(self, width, height, theme)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self.process.wait(30)
        except (Problem, subprocess.TimeoutExpired, OSError):
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.into)
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    def __init__(self, browser, width, height, theme):
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.size(width, height)
        self.media(theme)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def size(self, width, height, scale=1, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile)

    def media(self, theme, medium=""):
        self.call("Emulation.setEmulatedMedia", media=medium, features=[{"name": "prefers-color-scheme", "value": theme}])

    def go(self, address):
        self.browser.events.clear()
        self.call("Page.navigate", url=address)
        self.browser.wait("Page.loadEventFired", self.session)

    def run(self, expression):
        """The value of an expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Problem(answer["exceptionDetails"].get("exception", answer["exceptionDetails"]).get("description", str(answer)))
        return answer["result"].get("value")

    def key(self, key, code=0):
        """A key is pressed as by a hand. code: Windows' number of it, where the browser acts by itself (Tab is 9, Escape 27)."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def point(self, x, y, click=False):
        for kind in ("mouseMoved",) + (("mousePressed", "mouseReleased") if click else ()):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if click else "none", clickCount=int(click))

    def tree(self):
        """What a screen reader is told: [{role, name, ...}] of nodes that it does not skip."""
        nodes = [node for node in self.call("Accessibility.getFullAXTree")["nodes"] if not node.get("ignored")]
        return [{"role": node["role"]["value"], "name": node.get("name", {}).get("value", "")}
                | {one["name"]: one["value"].get("value") for one in node.get("properties", ())} for node in nodes]

    def picture(self, box=None, whole=False):
        """PNG of what is in sight, of box (x, y, width, height), or of the whole page."""
        parameters = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            box = (0, 0, size["width"], size["height"])
        if box:
            parameters = {"clip": dict(zip(("x", "y", "width", "height"), box), scale=1), "captureBeyondViewport": True}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **parameters)["data"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.call("Target.closeTarget", targetId=self.target)
