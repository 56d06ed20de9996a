"""What the acceptance scripts share: building, starting and ending processes, asking them, judging and recording.

Each script is one `main(run)` given to `accept()`. It starts processes through `run`, calls `run.check()` once per
condition, and ends with PASS or FAIL, a JSON file under results/, and no process left behind.
"""

import argparse, datetime, json, os, platform, re, shlex, signal, socket, subprocess, sys, tempfile, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))


def output(command):
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", open("/proc/cpuinfo").read())
    memory = re.search(r"MemTotal:\s*(\d+)", open("/proc/meminfo").read())
    return {"cpu": cpu and cpu[1], "cores": os.cpu_count(), "memory_gib": memory and round(int(memory[1]) / 2**20, 1),
            "kernel": platform.release(), "open_files": int(output(["sh", "-c", "ulimit -n"])), "load_average": os.getloadavg()}


class Run:
    """One run of a script: its processes, its checks and its record."""

    def __init__(self, name, folder, arguments):
        self.name, self.folder, self.arguments = name, folder, arguments
        self.processes, self.checks, self.raw = [], [], []
        self.scratch = tempfile.TemporaryDirectory(prefix=f"accept-{name}-")
        self.loadgen_binary = os.environ.get("LOADGEN_BIN", os.path.join(TARGET, "release", "loadgen"))
        self.relay_binary = os.environ.get("RELAY_BIN", os.path.join(TARGET, "release", "relay"))

    # Processes

    def build(self):
        if self.arguments.no_build:
            return
        built = subprocess.run(["cargo", "build", "--release", "-p", "relay", "-p", "loadgen"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        if built.returncode:
            sys.exit(f"the build failed:\n{built.stderr[-2000:]}")

    def start(self, command, core=None, **options):
        command = (["taskset", "-c", str(core)] if core is not None else []) + [str(word) for word in command]
        log = open(os.path.join(self.scratch.name, f"{len(self.processes)}.log"), "w+")
        process = subprocess.Popen(command, stderr=log, text=True, cwd=ROOT, **options)
        process.log, process.command = log, shlex.join(word.replace(ROOT + os.sep, "") for word in command)
        self.processes.append(process)
        return process

    def end(self, process, how=signal.SIGTERM):
        """Ends one process that this run started, and waits for it."""
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def end_all(self):
        for process in reversed(self.processes):
            self.end(process)

    def said(self, process, characters=800):
        process.log.flush()
        process.log.seek(0)
        return process.log.read()[-characters:]

    def loadgen(self, *words, core=None):
        return self.start([self.loadgen_binary, *words], core=core, stdout=subprocess.PIPE)

    def first_line(self, process):
        line = process.stdout.readline()
        if not line:
            sys.exit(f"{process.command} ended at once: {self.said(process)}")
        return json.loads(line)

    def venue(self, *words, core=None, listen="127.0.0.1:0"):
        process = self.loadgen("venue", "--listen", listen, *words, core=core)
        process.hello = self.first_line(process)
        process.address = process.hello["listening"]
        return process

    def mock(self, kind, *words, core=None, listen="127.0.0.1:0"):
        """A mock of a real venue; fault() and truth() reach its control port."""
        process = self.loadgen("venue", kind, "--listen", listen, *words, core=core)
        process.hello = self.first_line(process)
        process.address, process.control = process.hello["listening"], process.hello["control"]
        return process

    def goes_first(self, process):
        """Real-time priority, where we may give it; says so if not."""
        try:
            os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(10))
        except OSError as error:
            print(f"note the venue has no real-time priority ({error}); its messages may come in bursts")

    def bare(self, venue, *words, core=None):
        process = self.loadgen("bare", "--upstream", venue.address, *words, core=core)
        process.address = self.first_line(process)["listening"]
        return process

    def relay(self, venue, *words, shards=1, core=None, config=None):
        """A relay in front of a venue, ready to serve."""
        listen, admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        command = [self.relay_binary, "--listen", listen, "--admin", admin, "--shards", shards]
        if config is None:
            command += ["--upstream", f"stream=ws://{venue.address}/stream"]
        else:
            path = os.path.join(self.scratch.name, "relay.toml")
            with open(path, "w") as file:
                file.write(config)
            command += ["--config", path]
        process = self.start(command + list(words), core=core, stdout=subprocess.DEVNULL)
        process.address, process.admin = listen, admin
        end = time.monotonic() + 10
        while True:
            try:
                get(f"http://{admin}/readyz")
                return process
            except OSError as error:
                if process.poll() is not None:
                    sys.exit(f"{process.command} ended with {process.returncode}: {self.said(process)}")
                if time.monotonic() > end:
                    sys.exit(f"{process.command} is not ready after 10 s ({error}): {self.said(process)}")
                time.sleep(0.02)

    def fleet(self, server, *words, core=None, watched=True):
        """Starts a fleet; `report()` waits for what it has to say."""
        pid = ["--relay-pid", server.pid] if watched else []
        return self.loadgen("run", "--url", f"ws://{server.address}", *pid, *words, core=core)

    def mixed(self, server, *words, core=None):
        """Starts a fleet of several dialects; `report()` waits for what it has to say."""
        return self.loadgen("mixed", "--url", f"ws://{server.address}", "--relay-pid", server.pid, *words, core=core)

    def report(self, fleet, label=None):
        """The JSON report of a fleet, which is also recorded."""
        text, _ = fleet.communicate()
        try:
            report = json.loads(text.strip().splitlines()[-1])
        except (IndexError, ValueError):
            sys.exit(f"{fleet.command} gave no report: {self.said(fleet)}")
        self.raw.append({"label": label, "command": fleet.command, "report": report})
        return report

    def measuring_since(self, fleet):
        """Waits until a fleet measures; the monotonic time in ns."""
        while fleet.poll() is None:
            found = re.search(r"measuring since (\d+)", self.said(fleet))
            if found:
                return int(found[1])
            time.sleep(0.05)
        sys.exit(f"{fleet.command} ended before it measured: {self.said(fleet)}")

    # Judging

    def check(self, what, ok, figure=None):
        self.checks.append({"check": what, "ok": bool(ok), "figure": figure})
        print(f"{'ok  ' if ok else 'FAIL'} {what}" + (f": {figure}" if figure is not None else ""), flush=True)

    def check_fleet(self, report, what="fleet"):
        """The conditions of every fleet: a valid run in which nothing is wrong."""
        self.check(f"{what}: the run is valid", not report["invalid"], "; ".join(report["invalid"]) or None)
        self.check(f"{what}: nothing lost, twice, out of order or changed", not report["wrong"],
                   "; ".join(report["wrong"]) or f"{report['deliveries']} deliveries to {report['connections']} clients")

    def finish(self, started):
        ok = bool(self.checks) and all(check["ok"] for check in self.checks)
        day = datetime.date.today().isoformat()
        folder = self.arguments.out or os.path.join(ROOT, "results", f"{day}-{self.folder}")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"{self.name}.json")
        with open(path, "w") as file:
            json.dump({"name": self.name, "verdict": "PASS" if ok else "FAIL", "checks": self.checks,
                       "started": started, "command": shlex.join(sys.argv),
                       "commit": output(["git", "rev-parse", "HEAD"]), "dirty": bool(output(["git", "status", "--porcelain"])),
                       "machine": machine(), "processes": [process.command for process in self.processes], "raw": self.raw},
                      file, indent=1)
        failed = sum(not check["ok"] for check in self.checks)
        print(f"{'PASS' if ok else 'FAIL'} {self.name}: {len(self.checks) - failed} of {len(self.checks)} checks held ({os.path.relpath(path, ROOT)})")
        return 0 if ok else 1


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def venue_stats(venue):
    return json.loads(get(f"http://{venue.address}/stats"))


def fault(mock, **fields):
    """Begins a fault of a mock venue; its number. `for_` stands for `for`."""
    body = json.dumps({key.rstrip("_"): value for key, value in fields.items()}).encode()
    with urllib.request.urlopen(f"http://{mock.control}/fault", body, timeout=5) as answer:
        return json.load(answer)["id"]


def truth(mock):
    return json.loads(get(f"http://{mock.control}/truth"))


def metrics(relay):
    """The relay's metrics as {name with labels: value}."""
    rows = {}
    for line in get(f"http://{relay.admin}/metrics").splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            rows[name] = float(value)
    return rows


def total(rows, name, *labels):
    """The sum over all series of a metric that carry these labels; None if there is no such metric."""
    found = [value for key, value in rows.items() if key.split("{")[0] == name and all(label in key for label in labels)]
    return sum(found) if found else None


def accept(name, main, doc, options=(), folder="accept"):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are ($RELAY_BIN, $LOADGEN_BIN, or the target directory)")
    parser.add_argument("--out", help="where the record goes; default results/<date>-accept or the like")
    for flag, settings in options:
        parser.add_argument(flag, **settings)
    run = Run(name, folder, parser.parse_args())
    # A SIGTERM unwinds like an exception, so that the processes end with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    try:
        run.build()
        main(run)
        code = run.finish(started)
    finally:
        run.end_all()
    sys.exit(code)
