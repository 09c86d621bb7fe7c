#!/usr/bin/env python3
"""Checks every #include against tools/layering.txt; prints each arrow that points the wrong way and exits with 1.

    tools/check_layering.py [root]
"""
import os
import posixpath
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
HEADERS = (".h", ".hh", ".hpp", ".hxx", ".inc", ".ipp", ".inl")
SOURCES = HEADERS + (".c", ".cc", ".cpp", ".cxx")


def read_rules(path):
    """folder -> allowed prefixes; [(pattern, folders)] for libraries; patterns that may stand in .cc files only."""
    allowed, libraries, only_in_cc = {}, [], []
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.split("#")[0].strip()
            if not line:
                continue
            if line.startswith("only-in-cc "):
                only_in_cc.append(re.compile(line.split(None, 1)[1]))
                continue
            left, right = line.split(" : ") if " : " in line else (line.rstrip(" :"), "")
            if left.startswith("third-party "):
                libraries.append((re.compile(left.split(None, 1)[1].strip()), right.split()))
            else:
                allowed[left.strip()] = right.split()
    return allowed, libraries, only_in_cc


def room_of(path, rooms):
    """The most specific folder of the table that holds the path."""
    best = [r for r in rooms if path == r or path.startswith(r + "/")]
    return max(best, key=len) if best else None


def within(path, places):
    return any(p == "*" or path == p or path.startswith(p + "/") for p in places)


def check_file(path, text, rules):
    allowed, libraries, only_in_cc = rules
    room = room_of(path, allowed)
    for kind, written in INCLUDE.findall(text):
        # "x.h", "./x.h" and "../x.h" are looked up from the file's own folder; the table knows paths from the root.
        target = posixpath.normpath(written)
        if written.startswith(".") or (kind == '"' and "/" not in written):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), written))
        target_room = room_of(target, allowed)
        if target_room and (kind == "<" or target != written):
            yield f'{path}: write {written} as "{target}"'
        if target_room and target_room != room and not within(target, allowed[room]):
            yield f"{path}: {room} may not include {target} ({target_room})"
        for pattern, places in libraries:
            if pattern.match(target) and not within(path, places):
                yield f"{path}: <{target}> belongs in {', '.join(places)} only"
        for pattern in only_in_cc:
            if path.startswith("engine/") and path.endswith(HEADERS) and not path.endswith("-inl.h") and pattern.match(target):
                yield f"{path}: <{target}> may be included in .cc and -inl.h files only"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    rules = read_rules(os.path.join(os.path.dirname(os.path.abspath(__file__)), "layering.txt"))
    tops = sorted({room.split("/")[0] for room in rules[0]})
    wrong, files = [], 0
    for top in tops:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if not name.endswith(SOURCES):
                    continue
                full = os.path.join(folder, name)
                files += 1
                with open(full, encoding="utf-8") as f:
                    wrong += check_file(os.path.relpath(full, root), f.read(), rules)
    for line in wrong:
        print(line)
    print(f"layering: {files} files, {len(wrong)} wrong includes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
