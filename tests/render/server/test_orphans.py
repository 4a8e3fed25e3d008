from __future__ import annotations

import subprocess
import sys

import pytest

# A process that orphans come to, as they do to the first one of a container, has a child that it waits for
# itself, and a grandchild whose parent ends before it.
FIRST = """
import ctypes, os, subprocess, sys
from amper_spark.render.server.orphans import reap_orphans, is_first_process

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
assert not is_first_process()
assert reap_orphans(but=0) == 0
child = subprocess.Popen([sys.executable, "-c", "import os; os._exit(7 if os.fork() else 0)"])
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
n_reaped = reap_orphans(but=child.pid)
status = child.wait()
while n_reaped == 0:
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    n_reaped = reap_orphans(but=0)
print(n_reaped, status)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process ask for orphans")
def test_orphans_are_reaped_and_a_child_is_left_to_who_waits_for_it():
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "1 7\n")
