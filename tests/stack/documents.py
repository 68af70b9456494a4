"""Reads the commands out of a Markdown document: those in blocks, in order, and those within a sentence."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

# The beginnings of commands. A block without such a line is something else: a drawing, a template, an answer.
COMMANDS = ("make", "cargo", "curl", "aws", "sam", "git", "python", "python3", "pip", "npm", ".", "export", "cd")
STARTS = re.compile(r"(?:[A-Z][A-Z_]*=\S* +)*(?:%s) |(?:make|[A-Z][A-Z_]*=.*)$" % "|".join(map(re.escape, COMMANDS)))
# A part that is left to the reader.
OPEN = "…"


@dataclass(frozen=True)
class Command:
    """One command, and what the document says below it that it prints."""

    document: str
    line: int
    text: str
    prints: str = ""

    @property
    def is_open(self) -> bool:
        return OPEN in self.text


def is_command(text: str) -> bool:
    return bool(STARTS.match(text))


def blocks(path: Path) -> list[list[Command]]:
    """The blocks of commands of a document, fenced or indented."""
    found: list[list[Command]] = []
    block: list[tuple[int, str]] = []
    is_fenced, was_blank = False, True
    for number, line in enumerate([*path.read_text().splitlines(), ""], start=1):
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
            found, block = _closed(path, found, block), []
        elif is_fenced or (line.startswith("    ") and (was_blank or block)) or (block and not line.strip()):
            block.append((number, line.removeprefix("    ").rstrip()))
        else:
            found, block = _closed(path, found, block), []
        was_blank = not line.strip()
    return _closed(path, found, block)


def _closed(path: Path, found: list[list[Command]], block: list[tuple[int, str]]) -> list[list[Command]]:
    commands: list[Command] = []
    number, open_text = 0, ""
    for number_here, line in block:
        if line.startswith("#"):
            if commands and not open_text:
                last = commands[-1]
                commands[-1] = Command(last.document, last.line, last.text, last.prints or printed(line.lstrip("# ")))
        elif line.strip():
            number = number if open_text else number_here
            open_text = f"{open_text}\n{line}" if open_text else line
            if not (line.endswith("\\") or _is_unfinished(open_text)):
                commands.append(Command(path.name, number, without_comment(open_text)))
                open_text = ""
    return [*found, commands] if any(is_command(command.text) for command in commands) else found


def _is_unfinished(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def without_comment(line: str) -> str:
    """The command without what stands behind two blanks and a #."""
    return re.sub(r"\s{2,}#.*$", "", line).rstrip()


def printed(comment: str) -> str:
    """The output that a comment below a command shows: JSON, or Name=value. Anything else is talk."""
    if comment.startswith("{"):
        try:
            end = json.JSONDecoder().raw_decode(comment)[1]
        except ValueError:
            return comment
        return comment[:end]
    return comment if re.match(r"\w+=", comment) else ""


def inline(path: Path) -> list[Command]:
    """The commands within a sentence or a table, between backticks."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.startswith("    "):
            found += [Command(path.name, number, text.strip()) for text in re.findall(r"(?<!`)`([^`]+)`(?!`)", line) if is_command(text.strip())]
    return found


def rows(path: Path) -> list[Command]:
    """The commands in the first column of tables with the heading `command`."""
    found, is_inside = [], False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        is_inside = bool(cells) and (is_inside or cells[0] == "command")
        if is_inside and cells[0] != "command":
            found += [Command(path.name, number, text) for text in re.findall(r"`([^`]+)`", cells[0])]
    return found
