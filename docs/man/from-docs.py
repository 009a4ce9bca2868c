#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A page of the manual from its template, which is scdoc(5) with lines like

    @decisions.md: The gate@        that section of docs/decisions.md, without its heading
    @node-protocol.md@              all of its sections, each with its heading

so that the manual says what the pages say. Understands the Markdown that these pages use, and
fails on any other. Runs at build time.

from-docs.py TEMPLATE DOCS
"""
import os
import re
import sys


class Trouble(Exception):
    pass


# ---- what stands in a line ----

def escaped(text):
    """As scdoc takes it for plain text."""
    return re.sub(r"([\\*_~<>#`\[\]|])", r"\\\1", text)


# The pages that have a page of the manual.
PAGES = {"configuration.md": "pathdog.conf(5)", "control.md": "pathdogctl(1)",
         "decisions.md": "pathdog-verdicts(7)", "journal.md": "pathdog-journal-fields(7)",
         "node-protocol.md": "pathdog-node-protocol(7)", "records.md": "pathdog-records(7)",
         "triggers.md": "pathdog-trigger(7)"}
PART = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])|\[([^\]]+)\]\(([^)]+)\)")


def inline(text):
    out, at = [], 0
    for found in PART.finditer(text):
        out.append(escaped(text[at:found.start()]))
        code, strong, stress, words, target = found.groups()
        if code:
            out.append(f"*{escaped(code)}*")
        elif strong:
            # What is marked within is strong already.
            out.append(f"*{escaped(strong.replace('`', ''))}*")
        elif stress:
            out.append(f"_{escaped(stress)}_")
        else:
            # A page is named; where on it, its headings say.
            page = os.path.basename(target.split("#")[0])
            name = PAGES.get(page, page)
            shown = escaped(name) if name.endswith(".md") else re.sub(r"(.*)(\(\d\))", r"*\1*\2", name)
            out.append(shown if words == page else
                       inline(words) + (f" ({shown})" if page else ""))
        at = found.end()
    out.append(escaped(text[at:]))
    return "".join(out)


def paragraph(text):
    text = inline(" ".join(line.strip() for line in text.splitlines()))
    if text[:1] in ".'":
        raise Trouble(f"roff would take this for its own: {text}")
    return "\\" + text if text[:1] in "-|:[]{" else text


# ---- blocks; each gives lines, indented by tabs ----

def cells(line):
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def table(lines):
    """A list of terms: wide tables are no good on a terminal."""
    head, rows = cells(lines[0]), [cells(line) for line in lines[2:]]
    # A head with nothing beside it says what the rows are.
    out = [f"{inline(head[0])}:", ""] if head[0] and not any(head[1:]) else []
    for row in rows:
        if len(row) != len(head):
            raise Trouble(f"{len(row)} cells under {len(head)} heads: {row}")
        term, rest = paragraph(row[0]), list(zip(head[1:], row[1:]))
        if not re.match(r"\*", term):
            term = f"*{term}*" if "*" not in term else term
        if rest and rest[0][0] in ("type", "level") and len(rest) > 1:
            term += f" ({inline(rest.pop(0)[1])})"
        if len(rest) == 1:
            body = paragraph(rest[0][1])
        else:
            body = ". ".join(f"{inline(name[:1].upper() + name[1:])}: {inline(cell)}" if name
                             else inline(cell) for name, cell in rest if cell)
        out += [term, "\t" + body, ""]
    return out


ITEM = re.compile(r"(\* (?:\[ \] )?|- (?:\[ \] )?|(\d+)\. )")


def item_list(lines):
    """Items, each with the blocks that belong to it."""
    items = []
    for line in lines:
        found = ITEM.match(line)
        if found:
            items.append((found[2], [line[found.end():]], found.end()))
        elif items:
            items[-1][1].append(line[min(items[-1][2], len(line) - len(line.lstrip())):]
                                if line.strip() else "")
    out = []
    for number, body, _ in items:
        inner = blocks(body)
        first = inner[0] if inner else ""
        if number:  # as a term, so that tables may follow
            out += [f"{number}. {first.lstrip()}", ""]
            out += ["\t" + line if line else "" for line in inner[2:]]
        else:
            out.append(f"- {first}")
            if any(inner[2:]):
                raise Trouble(f"more than a paragraph in an item: {body[0]}")
    return out + [""]


def literal(lines):
    return ["```", *(line[4:].replace("\\", "\\\\") for line in lines), "```", ""]


def take(lines, at, belongs):
    """The lines from `at` on that belong together, without blank ones at their end."""
    end = at
    while end < len(lines) and belongs(lines[end]):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return lines[at:end], end


def blocks(lines):
    out, at = [], 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif line.startswith("    "):
            part, at = take(lines, at, lambda line: line.startswith("    ") or not line.strip())
            out += literal(part)
        elif line.startswith("|"):
            part, at = take(lines, at, lambda line: line.startswith("|"))
            out += table(part)
        elif line.startswith("#"):
            raise Trouble(f"a heading that is too deep: {line}")
        elif ITEM.match(line):
            part, at = take(lines, at, lambda line: ITEM.match(line) or line.startswith("  ")
                            or not line.strip())
            out += item_list(part)
        else:
            part, at = take(lines, at, lambda line: line.strip() and not ITEM.match(line)
                            and line[0] not in "|#")
            out += [paragraph("\n".join(part)), ""]
    return out


# ---- pages ----

def sections(text, mark):
    """[(heading, lines)] of one depth; what stands before the first has no heading."""
    found = [("", [])]
    for line in text:
        if line.startswith(mark + " "):
            found.append((line[len(mark) + 1:], []))
        else:
            found[-1][1].append(line)
    return found


def section(lines):
    out = []
    for heading, body in sections(lines, "###"):
        if heading:
            out += ["## " + escaped(heading.replace("`", "")), ""]
        out += blocks(body)
    return out


def included(docs, name, heading):
    with open(os.path.join(docs, name), encoding="utf-8") as file:
        found = sections(file.read().splitlines(), "##")
    if heading:
        wanted = [lines for title, lines in found if title == heading]
        if not wanted:
            raise Trouble(f"{name} has no section \"{heading}\"")
        return section(wanted[0])
    out = []
    for title, lines in found[1:]:
        out += ["# " + escaped(title.replace("`", "")).upper(), ""] + section(lines)
    return out


def main():
    template, docs = sys.argv[1:3]
    with open(template, encoding="utf-8") as file:
        for line in file.read().splitlines():
            found = re.fullmatch(r"@([\w-]+\.md)(?:: (.+))?@", line)
            try:
                print("\n".join(included(docs, found[1], found[2])) if found else line)
            except Trouble as trouble:
                sys.exit(f"{template}: {line}: {trouble}")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    main()
