#!/usr/bin/env python3
"""What cluster/mutants.sh does; its header and cluster/mutants/README say how."""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.abspath(os.environ.get("MUTANTS_DIR", os.path.join(ROOT, ".build-mutants")))
CHANGE = re.compile("«(.*?)\\s*⇒\\s*(.*?)»")
ISSUE = re.compile(r"✘ Test (?:case .* to )?(\w+)\(.*?\) recorded an issue(?: with .*)? at (\S+?:\d+):\d+: (.*)")
# How long a suite may take before it counts as hanging: by itself, and as a multiple of what it took by itself.
SUITE_SECONDS_MAX = 240
SLOWNESS_MAX = 5


def fail(text):
    """Nothing can be found out: not the same as a fault that survives."""
    print(text, file=sys.stderr)
    sys.exit(2)


class Mutant:
    def __init__(self, name, origin):
        self.name, self.origin = name, origin
        self.fault, self.survives, self.isKnown = "", None, False
        self.edits = []


class Edit:
    """One exchange in one line of one file."""

    def __init__(self, path, kind, text, after):
        match = CHANGE.search(text)
        if not match:
            fail(f"no «old ⇒ new» in: {text}")
        self.path, self.kind, self.after = path, kind, after
        self.old, self.new = match.group(1).strip(), match.group(2).strip()
        self.before, self.behind = text[:match.start()], text[match.end():]
        if kind == "raw":
            self.old = match.group(1)
        self.original = (self.before + self.old + self.behind).strip()


def read_mutants():
    mutants = []
    for path in sorted(glob.glob(os.path.join(ROOT, "cluster/mutants/*.mutants"))):
        source, after = None, None
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            key, _, value = line.strip().partition(" ")
            value = value.strip()
            if key == "mutant":
                mutants.append(Mutant(value, os.path.basename(path)))
                source, after = None, None
            elif key == "fault":
                mutants[-1].fault = value
            elif key == "survives":
                mutants[-1].survives = value
            elif key == "known":
                mutants[-1].isKnown = True
            elif key == "in":
                source, after = value, None
            elif key == "after":
                after = value
            elif key in ("line", "statement", "raw"):
                mutants[-1].edits.append(Edit(source, key, value, after))
            else:
                fail(f"{path}:{number}: what is '{key}'?")
    names = [mutant.name for mutant in mutants]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        fail(f"two faults are called {', '.join(sorted(twice))}")
    return mutants


def place(edit, lines):
    """Index of the line that the edit means, and the column of what it exchanges."""
    start = 0
    if edit.after:
        start = next((i + 1 for i, line in enumerate(lines) if edit.after in line), None)
        if start is None:
            raise ValueError(f"no line has: {edit.after}")
    found = [i for i in range(start, len(lines)) if lines[i].strip() == edit.original]
    if not found or (len(found) > 1 and not edit.after):
        raise ValueError(f"{len(found)} lines are: {edit.original}")
    line = lines[found[0]]
    indent = len(line) - len(line.lstrip())
    return found[0], indent + len(edit.before.lstrip() if not edit.before.strip() else edit.before)


def switched(edit, number):
    """The text that does either, as the switch says."""
    isC = edit.path.endswith((".c", ".h"))
    asked = f"QUINTET_MUTANT({number})" if isC else f"quintetMutant({number})"
    if edit.kind == "raw":
        return edit.new.replace("MUTANT", asked)
    if edit.kind == "statement":
        if isC:
            return f"if (!{asked}) {{ {edit.old} }}" + (f" else {{ {edit.new} }}" if edit.new else "")
        return f"if !{asked} {{ {edit.old} }}" + (f" else {{ {edit.new} }}" if edit.new else "")
    return f"({asked} ? ({edit.new}) : ({edit.old}))"


def plant(mutants, root):
    """Writes the switches into the copy at `root`, or only checks that they fit where `root` is None."""
    changes, problems = {}, []
    for number, mutant in enumerate(mutants):
        for edit in mutant.edits:
            path = os.path.join(ROOT, edit.path or "")
            if not edit.path or not os.path.isfile(path):
                problems.append(f"{mutant.name}: there is no {edit.path}")
                continue
            lines = open(path, encoding="utf-8").read().split("\n")
            try:
                row, column = place(edit, lines)
            except ValueError as error:
                problems.append(f"{mutant.name}: {edit.path}: {error}")
                continue
            changes.setdefault(edit.path, []).append((row, column, edit, number, mutant.name))
        if not mutant.edits or not mutant.fault:
            problems.append(f"{mutant.name}: a fault has a sentence and a line")
    for path, edits in changes.items():
        lines = open(os.path.join(ROOT, path), encoding="utf-8").read().split("\n")
        last = {}
        for row, column, edit, number, name in sorted(edits, key=lambda one: one[:2], reverse=True):
            end = column + len(edit.old)
            if lines[row][column:end] != edit.old or end > last.get(row, 1 << 30):
                problems.append(f"{name}: {path}:{row + 1}: overlaps another fault, or is not there")
                continue
            lines[row] = lines[row][:column] + switched(edit, number) + lines[row][end:]
            last[row] = column
        if root:
            open(os.path.join(root, path), "w", encoding="utf-8").write("\n".join(lines))
    return problems


C_HEADER = """#pragma once
// Which fault is on, and whether the switches that are passed are written down.
extern int quintet_mutant_chosen, quintet_mutants_noted;
int quintet_mutant_note(int number);
#define QUINTET_MUTANT(n) \\
    (__builtin_expect(quintet_mutants_noted, 0) ? quintet_mutant_note(n) : quintet_mutant_chosen == (n))
"""
C_SOURCE = """#include "quintet_mutants.h"
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int quintet_mutant_chosen = -1, quintet_mutants_noted = 0;
static unsigned char seen[4096];
static const char *notes;
__attribute__((constructor)) static void begin(void) {
    const char *chosen = getenv("QUINTET_MUTANT");
    if (chosen && *chosen) quintet_mutant_chosen = atoi(chosen);
    notes = getenv("QUINTET_MUTANTS_NOTES");
    quintet_mutants_noted = notes && *notes;
}
int quintet_mutant_note(int number) {
    if (__atomic_exchange_n(&seen[number], 1, __ATOMIC_RELAXED)) return 0;
    int file = open(notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file >= 0) {
        char line[16];
        int count = snprintf(line, sizeof line, "%d\\n", number);
        if (write(file, line, count) != count) abort();
        close(file);
    }
    return 0;
}
bool quintet_mutant_is_on(int number) { return QUINTET_MUTANT(number); }
"""
SWIFT = """@_silgen_name("quintet_mutant_is_on") func quintetMutantIsOn(_ number: Int32) -> Bool
@usableFromInline func quintetMutant(_ number: Int32) -> Bool { quintetMutantIsOn(number) }
"""


def mirror(source, target):
    """Makes `target` hold the files of `source`, and no other but what was built; equal files keep their dates."""
    def files(root):
        return {os.path.relpath(os.path.join(folder, name), root)
                for folder, folders, names in os.walk(root) for name in names
                if not os.path.relpath(folder, root).startswith(".build")}

    wanted = files(source)
    for name in files(target) - wanted:
        os.remove(os.path.join(target, name))
    for name in wanted:
        to = os.path.join(target, name)
        if not os.path.exists(to) or open(to, "rb").read() != open(os.path.join(source, name), "rb").read():
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(os.path.join(source, name), to)


def build(mutants):
    """The copy with all switches, built; its own changes are kept from run to run so that only they are compiled."""
    tree = os.path.join(FOLDER, "tree")
    json.dump([mutant.name for mutant in mutants], open(os.path.join(FOLDER, "numbers.json"), "w"))
    fresh = os.path.join(FOLDER, "fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if os.path.exists(os.path.join(ROOT, name)):
            os.makedirs(os.path.dirname(os.path.join(fresh, name)), exist_ok=True)
            shutil.copy(os.path.join(ROOT, name), os.path.join(fresh, name))
    problems = plant(mutants, fresh)
    if problems:
        fail("\n".join(problems))
    kernels = os.path.join(fresh, "Sources/CKernels")
    open(os.path.join(kernels, "include/quintet_mutants.h"), "w").write(C_HEADER)
    open(os.path.join(kernels, "quintet_mutants.c"), "w").write(C_SOURCE)
    for name in {edit.path for mutant in mutants for edit in mutant.edits if edit.path.endswith((".c", ".h"))}:
        path = os.path.join(fresh, name)
        text = open(path).read()
        at = text.index("#pragma once") + 13 if "#pragma once" in text else 0
        open(path, "w").write(text[:at] + '#include "quintet_mutants.h"\n' + text[at:])
    for target in {edit.path.split("/")[1] for mutant in mutants for edit in mutant.edits
                   if edit.path.endswith(".swift")}:
        open(os.path.join(fresh, "Sources", target, "QuintetMutant.swift"), "w").write(SWIFT)
    package = os.path.join(fresh, "Package.swift")
    text = open(package).read().replace(', .unsafeFlags(["-warnings-as-errors"])', "").replace(', "-Werror"', "")
    open(package, "w").write(text)
    # Only what differs is written over the tree that was built, so that dates say what to compile.
    # Real CTs, where there are some: tests that need them look beside the repository.
    shared, link = os.path.join(os.path.dirname(ROOT), "shared"), os.path.join(FOLDER, "shared")
    if os.path.isdir(shared) and not os.path.lexists(link):
        os.symlink(shared, link)
    mirror(fresh, tree)
    shutil.rmtree(fresh)
    log = os.path.join(FOLDER, "build.log")
    with open(log, "w") as out:
        done = subprocess.run(["swift", "build", "-c", "release", "--build-tests"], cwd=tree, stdout=out,
                              stderr=subprocess.STDOUT)
    if done.returncode != 0:
        lines = [line for line in open(log, errors="replace") if "error:" in line]
        fail("the faults do not build:\n" + "".join(lines[:40]) + f"the whole output: {log}")
    return tree


def suites(tree, pattern):
    listed = subprocess.run(["swift", "test", "list", "-c", "release", "--skip-build"], cwd=tree, check=True,
                            capture_output=True, text=True).stdout
    found = []
    for line in listed.splitlines():
        name = line.strip().split("/")[0]
        if name and name not in found and not name.startswith("TidyTests") and re.search(pattern, name):
            found.append(name)
    return found


def run(tree, suite, mutant=None, notes=None, most=SUITE_SECONDS_MAX):
    """Whether the suite passes, its seconds, and what failed first."""
    environment = dict(os.environ)
    if mutant is not None:
        environment["QUINTET_MUTANT"] = str(mutant)
    if notes:
        environment["QUINTET_MUTANTS_NOTES"] = notes
    program = os.path.join(tree, ".build/release/quintetPackageTests.xctest")
    command = [program, "--testing-library", "swift-testing", "--filter", "^" + re.escape(suite) + r"(/|$)"]
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=most)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return False, time.monotonic() - start, "(the suite did not end)"
    finally:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            pass
    seconds = time.monotonic() - start
    if process.returncode == 0:
        if not re.search(r"Test run with [1-9]\d* test", output):
            return None, seconds, "(no test ran)"
        return True, seconds, ""
    return False, seconds, first_failure(output, process.returncode)


def first_failure(output, code):
    test, what = "", ""
    output = re.sub(r"\x1b\[[0-9;]*m", "", output)
    for line in output.splitlines():
        match = ISSUE.search(line)
        if match:
            return f"{match.group(1)} ({match.group(2)}): {match.group(3)}"
        match = re.search(r"✘ Test (\w+)\(", line)
        if match and not test:
            test = match.group(1)
    started = re.findall(r"Test (\w+)\(.*\) started", output)
    end = [line for line in output.splitlines() if "Fatal error" in line or "Precondition" in line]
    what = end[0].strip() if end else f"(the process ended with {code})"
    return f"{test or (started[-1] if started else '?')}: {what}"


def survey(tree, mutants, pattern, isFresh):
    """Which suites pass which switches, and how long each takes."""
    path = os.path.join(FOLDER, "survey.json")
    known = {}
    if not isFresh and os.path.exists(path):
        known = json.load(open(path))
    for suite in suites(tree, pattern):
        if suite in known:
            continue
        notes = os.path.join(FOLDER, "notes")
        if os.path.exists(notes):
            os.remove(notes)
        passes, seconds, what = run(tree, suite, notes=notes)
        if passes is None:
            continue
        passed = sorted({int(line) for line in open(notes)}) if os.path.exists(notes) else []
        known[suite] = {"passes": passes, "seconds": round(seconds, 2), "what": what,
                        "switches": [mutants[number].name for number in passed]}
        print(f"{suite}: {seconds:.1f} s, {len(passed)} switches" + ("" if passes else f"; FAILS by itself: {what}"),
              file=sys.stderr, flush=True)
        json.dump(known, open(path, "w"), indent=1)
    return known


def judge(tree, number, mutant, known, quick, pattern):
    """The suite and the assertion that kill the fault, or None."""
    meeting = sorted((entry["seconds"], suite) for suite, entry in known.items()
                     if entry["passes"] and mutant.name in entry["switches"] and entry["seconds"] <= quick
                     and re.search(pattern, suite))
    for usual, suite in meeting:
        passes, seconds, what = run(tree, suite, mutant=number, most=30 + SLOWNESS_MAX * usual)
        if passes is False:
            return {"suite": suite, "what": what, "seconds": round(seconds, 2)}, [one for _, one in meeting]
    return None, [suite for _, suite in meeting]


TABLE_MARK = "<!-- what cluster/mutants.sh found -->"


def table(mutants, results):
    """The lines behind the mark in docs/TESTS.md."""
    tried = [mutant for mutant in mutants if mutant.name in results]
    killed = [mutant for mutant in tried if results[mutant.name]["killer"]]
    known = [mutant for mutant in tried if mutant.isKnown]
    share = 100 * len(killed) / max(1, len(tried))
    lines = [TABLE_MARK, "", f"{time.strftime('%Y-%m-%d')}: {len(killed)} of {len(tried)} faults killed "
             f"({share:.1f}%). Marked by * are the {len(known)} with which version 0.1.0's 461 tests passed."]
    for killer in (False, True):
        rows = [mutant for mutant in tried if bool(results[mutant.name]["killer"]) == killer]
        if not rows:
            continue
        title = ["| fault | where | noticed by | which saw |", "|---|---|---|---|"] if killer else [
            "| survives | where | why |", "|---|---|---|"]
        lines += [""] + title + [row(mutant, results[mutant.name]) for mutant in rows]
    return "\n".join(lines) + "\n"


def row(mutant, result):
    def cell(text, most):
        text = text.replace("|", "\\|").replace("\n", " ")
        return text if len(text) <= most else text[:most - 3] + "..."

    mark, where = "*" if mutant.isKnown else "", os.path.basename(mutant.edits[0].path)
    first = f"| {mutant.name}{mark}: {mutant.fault} | {where} | "
    if not result["killer"]:
        return first + (mutant.survives or "NOT NAMED") + " |"
    what = result["killer"]["what"]
    test, _, saw = what.partition(": ")
    saw = re.sub(r"^Expectation failed: ", "", saw)
    return first + f"`{test.split(' (')[0]}` | `{cell(saw, 90).replace('`', '')}` |"


def write_table(path, text):
    before = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
    open(path, "w", encoding="utf-8").write(before.split(TABLE_MARK)[0] + text)


def numbered(mutants):
    """The faults with the numbers that they were built with."""
    names = json.load(open(os.path.join(FOLDER, "numbers.json")))
    byName = {mutant.name: mutant for mutant in mutants}
    return [byName.get(name) or Mutant(name, "") for name in names]


def main():
    parser = argparse.ArgumentParser(prog="cluster/mutants.sh", add_help=False)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--suites", default=".")
    parser.add_argument("--table")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("--quick", type=float, default=1e9)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    mutants = read_mutants()
    problems = plant(mutants, None)
    for problem in problems:
        print(problem)
    print(f"{len(mutants)} faults, {len(problems)} do not fit", file=sys.stderr)
    if problems:
        return 2
    if arguments.check:
        return 0
    os.makedirs(FOLDER, exist_ok=True)
    tree = os.path.join(FOLDER, "tree") if arguments.no_build else build(mutants)
    mutants = numbered(mutants)
    known = survey(tree, mutants, arguments.suites, not arguments.resume)
    path = os.path.join(FOLDER, "results.json")
    results = json.load(open(path)) if arguments.resume and os.path.exists(path) else {}
    wanted = [(number, mutant) for number, mutant in enumerate(mutants)
              if (not arguments.names or any(name in mutant.name for name in arguments.names))
              and not (arguments.resume and (results.get(mutant.name) or {}).get("killer"))]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        futures = {pool.submit(judge, tree, number, mutant, known, arguments.quick,
                               arguments.suites): mutant for number, mutant in wanted}
        for future in concurrent.futures.as_completed(futures):
            mutant = futures[future]
            killer, met = future.result()
            results[mutant.name] = {"killer": killer, "met": met}
            print(f"{'killed  ' if killer else 'SURVIVES'} {mutant.name}: "
                  + (f"{killer['suite']} {killer['what']}" if killer else f"{mutant.fault} (met {len(met)} suites)"),
                  flush=True)
            json.dump(results, open(path, "w"), indent=1)
    if arguments.table:
        write_table(arguments.table, table(mutants, results))
    killed = sum(1 for mutant in mutants if (results.get(mutant.name) or {}).get("killer"))
    tried = sum(1 for mutant in mutants if mutant.name in results)
    unnamed = [mutant.name for mutant in mutants
               if mutant.name in results and not results[mutant.name]["killer"] and not mutant.survives]
    print(f"{killed} of {tried} faults killed" + (f"; survivors: {', '.join(unnamed)}" if unnamed else ""))
    return 1 if unnamed else 0


if __name__ == "__main__":
    sys.exit(main())
