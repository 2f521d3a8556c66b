"""What must not be read in a server's log or in the list of processes: keys, and passwords of URLs."""

import re
from pathlib import Path

SECRET = re.compile(
    r"\b(?:tf_live_|tf_test_|tfi_|tfa_|tfs_)[0-9a-f]{8,}|\btfv_[\w-]{16,}|://[^\s:/@]*:[^\s@*]{3,}@"
)


def assert_log_is_clean(log: Path) -> None:
    """Fail for a log with a secret in it, naming the line without the secret."""
    if not log.exists():
        return
    with log.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            found = SECRET.search(line)
            assert found is None, (
                f"line {number} of a server's log holds a secret: {SECRET.sub('<secret>', line)[:500]}"
            )


def assert_processes_are_clean(pid: int) -> None:
    """Fail when the command line of a process, or of one below it, shows a secret."""
    for each in _family(pid):
        try:
            command = Path(f"/proc/{each}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        assert SECRET.search(command) is None, SECRET.sub("<secret>", command)


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += _family(child)
    return found
