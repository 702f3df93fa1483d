"""JSON that a person can read: indented, but lists of numbers and small objects on one line."""

import json
import re

NUMBERS = re.compile(r"\[\s+([-+0-9.eE,\s]+?)\s+\]")

INNERMOST = re.compile(r"\{\s+([^{}]{1,400}?)\s+\}")


def write_json(path, content):
    text = json.dumps(content, indent=1)
    text = NUMBERS.sub(lambda found: "[" + " ".join(found.group(1).split()) + "]", text)
    text = INNERMOST.sub(lambda found: "{" + " ".join(found.group(1).split()) + "}", text)
    path.write_text(text + "\n")
