"""Writes the roles' READMEs; scripts/role-readmes says how."""

import json
import pathlib
import re
import subprocess
import sys

import yaml


class Loader(yaml.SafeLoader):
    """Reads what Ansible reads: its own tags stand for their text."""


Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


def read(path):
    return yaml.load(path.read_text(), Loader) or {} if path.exists() else {}


def paragraphs(text):
    """A description is a sentence or a list of paragraphs, with Ansible's marks for code."""
    parts = [text] if isinstance(text, str) else text or []
    return [re.sub(r"\b[BCEIOMV]\(([^)]*)\)", r"`\1`", " ".join(part.split())) for part in parts]


def disagreements(role, options, defaults):
    """One sentence for each variable whose specification and default do not agree."""
    for name in sorted(defaults.keys() - options.keys()):
        yield f"{role}: {name} has a default and no entry in meta/argument_specs.yml."
    for name, option in options.items():
        if not paragraphs(option.get("description")):
            yield f"{role}: {name} has no description in meta/argument_specs.yml."
        if option.get("required"):
            if name in defaults:
                yield f"{role}: {name} is required and has a default; it cannot be both."
        elif name not in defaults:
            yield f"{role}: {name} is neither required nor in defaults/main.yml."
        elif option.get("default") != defaults[name]:
            yield f"{role}: the default of {name} is {defaults[name]!r}, its specification says {option.get('default')!r}."


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def shown_default(option):
    if option.get("required"):
        return "required"
    default = option.get("default")
    text = default.strip() if isinstance(default, str) else json.dumps(default)
    return f"`{cell(text)}`" if text else "empty"


def shown_type(option):
    kind = option.get("type", "str")
    return f"{kind} of {option['elements']}" if "elements" in option else kind


def shown_meaning(option):
    meaning = " ".join(paragraphs(option.get("description")))
    choices = option.get("choices")
    return cell(meaning + (f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""))


def readme(role, spec):
    lines = [f"# {role}", "", "<!-- Written by scripts/role-readmes; edit meta/argument_specs.yml instead. -->", ""]
    for text in [*paragraphs(spec.get("short_description")), *paragraphs(spec.get("description"))]:
        lines += [text, ""]
    options = spec.get("options") or {}
    if not options:
        return "\n".join(lines + ["It has no variables.", ""])
    lines += ["| Variable | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
    for name, option in options.items():
        lines.append(f"| `{name}` | {shown_type(option)} | {shown_default(option)} | {shown_meaning(option)} |")
    return formatted("\n".join(lines) + "\n")


def formatted(text):
    """As prettier wants every other file."""
    command = ["node_modules/.bin/prettier", "--stdin-filepath", "roles/README.md"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit("Usage: scripts/role-readmes [--check]")
    check = arguments == ["--check"]
    faults = []
    for folder in sorted(path for path in pathlib.Path("roles").iterdir() if path.is_dir()):
        specs = folder / "meta/argument_specs.yml"
        if not specs.exists():
            faults.append(f"{folder.name}: meta/argument_specs.yml is missing.")
            continue
        spec = read(specs)["argument_specs"]["main"]
        faults += disagreements(folder.name, spec.get("options") or {}, read(folder / "defaults/main.yml"))
        text, file = readme(folder.name, spec), folder / "README.md"
        if file.exists() and file.read_text() == text:
            continue
        if check:
            faults.append(f"{file} is out of date; run scripts/role-readmes and commit it.")
        else:
            file.write_text(text)
    if faults:
        sys.exit("\n".join(faults))


main(sys.argv[1:])
