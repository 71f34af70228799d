"""A hub on this machine, with the addresses and headers of huggingface.co: the list of a model's files, what is known of a file,
small files behind a relative redirection, large ones behind one to a storage on another port. It can misbehave in every way that
a test asks for. Only Python's standard library.
"""
import hashlib
import http.server
import json
import os
import re
import socketserver
import threading
import urllib.parse

LARGE = 1000  # bytes from which a file lies in the storage


def git_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Repo:
    def __init__(self, name, files, revisions=("main",)):
        self.name, self.files = name, dict(files)
        self.commit = hashlib.sha1((name + "".join(sorted(self.files))).encode()).hexdigest()
        self.revisions = dict.fromkeys(revisions, self.commit)
        self.token = None  # needed to read it
        self.gated = False

    def etag(self, file):
        content = self.files[file]
        return hashlib.sha256(content).hexdigest() if len(content) >= LARGE else git_sha1(content)


def folder_files(folder):
    """{name: bytes} of what a folder holds."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


class Hub:
    """Two servers, `endpoint` and its storage, that run until close(). `calls` lists what came: (server, method, path, headers);
    `sent` counts the bytes of bodies by file. Faults are attributes."""

    def __init__(self):
        self.repos, self.renamed, self.calls, self.sent = {}, {}, [], {}
        self.lock = threading.Lock()
        self.cuts = {}         # {file: [bytes of each connection before it is cut]}
        self.hold = {}         # {file: (bytes, event)}: after so many bytes the connection waits for the event
        self.answers = {}      # {pattern of "METHOD path": function(handler) or (status, headers, body), instead of the usual one}
        self.headers = {}      # {file: {header: value}} in place of the usual ones; None: left out
        self.contents = {}     # {file: other bytes than those that were announced}
        self.no_range = False  # the storage gives the whole file, whatever was asked for
        self.servers = []
        self.endpoint, self.storage = self.start("hub"), self.start("storage")

    def start(self, name):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                hub.handle(self, name)

            do_HEAD = do_GET

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments):  # connections that a client closes
                pass

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def add(self, name, files, **more):
        self.repos[name] = Repo(name, files, **more)
        return self.repos[name]

    def paths(self, method=None, server=None):
        with self.lock:
            return [path for s, m, path, _ in self.calls if method in (None, m) and server in (None, s)]

    # ---- answers ----

    def handle(self, handler, server):
        with self.lock:
            self.calls.append((server, handler.command, handler.path, dict(handler.headers.items())))
        for pattern, answer in self.answers.items():
            if re.search(pattern, f"{handler.command} {handler.path}"):
                return answer(handler) if callable(answer) else self.answer(handler, *answer)
        path = urllib.parse.urlsplit(handler.path).path
        if server == "storage":
            return self.give_content(handler, *path.strip("/").split("/", 1))
        listed = re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)?)/revision/([^/]+)", path)
        cached = re.fullmatch(r"/api/resolve-cache/models/([^/]+(?:/[^/]+)?)/([0-9a-f]{40})/(.+)", path)
        resolved = re.fullmatch(r"/([^/]+(?:/[^/]+)?)/resolve/([^/]+)/(.+)", path)
        match = listed or cached or resolved
        if not match:
            return self.answer(handler, 404, {}, b"")
        name = match.group(1)
        if name in self.renamed:
            new = handler.path.replace(name, self.renamed[name], 1)
            return self.answer(handler, 307, {"Location": new}, b"moved")
        repo = self.repos.get(name)
        if self.refuse(handler, repo):
            return None
        revision = urllib.parse.unquote(match.group(2))
        commit = repo.commit if revision == repo.commit else repo.revisions.get(revision)
        if not commit:
            return self.answer(handler, 404, {"X-Error-Code": "RevisionNotFound"}, b"")
        if listed:
            text = {"id": name, "sha": commit, "siblings": [{"rfilename": file} for file in sorted(repo.files)]}
            return self.answer(handler, 200, {"Content-Type": "application/json"}, json.dumps(text).encode())
        file = urllib.parse.unquote(match.group(3))
        if file not in repo.files:
            return self.answer(handler, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b"")
        return self.give_content(handler, name, file) if cached else self.resolve(handler, repo, commit, file)

    def refuse(self, handler, repo):
        """huggingface.co answers 401 for what is not there, and for what the token may not see."""
        token = handler.headers.get("Authorization", "").replace("Bearer ", "")
        if token == "wrong":
            self.answer(handler, 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"")
        elif repo and repo.gated and "/resolve" in handler.path:
            self.answer(handler, 403 if token else 401, {"X-Error-Code": "GatedRepo"}, b"")
        elif not repo or (repo.token and token != repo.token):
            self.answer(handler, 404 if token else 401, {"X-Error-Code": "RepoNotFound"}, b"")
        else:
            return False
        return True

    def resolve(self, handler, repo, commit, file):
        size, quoted = len(repo.files[file]), urllib.parse.quote(file)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{repo.etag(file)}"'}
        if size >= LARGE:
            headers.update({"Location": f"{self.storage}/{urllib.parse.quote(repo.name, safe='')}/{quoted}?signature=of%20it",
                            "X-Linked-Etag": f'"{repo.etag(file)}"', "X-Linked-Size": str(size), "ETag": '"of-the-redirection"'})
            status = 302
        else:
            headers["Location"] = f"/api/resolve-cache/models/{repo.name}/{commit}/{quoted}"
            status = 307
        self.answer(handler, status, {**headers, **self.headers.get(file, {})}, b"look there")

    def give_content(self, handler, name, file):
        name, file = urllib.parse.unquote(name), urllib.parse.unquote(file)
        repo = self.repos[name]
        content = self.contents.get(file, repo.files[file])
        headers = {"ETag": f'"{repo.etag(file)}"', "X-Repo-Commit": repo.commit}
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        first, status = int(wanted.group(1)) if wanted and not self.no_range else 0, 200
        if first and first >= len(content):
            return self.answer(handler, 416, {"Content-Range": f"bytes */{len(content)}"}, b"")
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            status = 206
        return self.answer(handler, status, {**headers, **self.headers.get(file, {})}, content[first:], file)

    def answer(self, handler, status, headers, body, file=None):
        handler.send_response(status)
        headers = {"Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            if value is not None:
                handler.send_header(name, value)
        if headers["Content-Length"] is None:
            handler.close_connection = True
        handler.end_headers()
        if handler.command == "HEAD":
            return
        with self.lock:
            cuts = self.cuts.get(file)
            keep = cuts.pop(0) if cuts else len(body)
            hold, event = self.hold.get(file, (len(body), None))
        self.send(handler, body[:min(hold, keep)], file)
        if event and keep > hold:
            event.wait(60)
            self.send(handler, body[hold:keep], file)
        if keep < len(body):
            handler.close_connection = True

    def send(self, handler, body, file):
        for at in range(0, len(body), 1 << 16):
            piece = body[at:at + (1 << 16)]
            handler.wfile.write(piece)
            handler.wfile.flush()
            with self.lock:
                self.sent[file] = self.sent.get(file, 0) + len(piece)
