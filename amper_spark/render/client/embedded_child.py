"""The process of an embedded server: ``python -m amper_spark.render.client.embedded_child PARENT_PID ...``.

It is ``amper-spark`` with the arguments that follow, but the kernel ends it as soon as its parent has ended.
"""

from __future__ import annotations

import sys

from amper_spark.child_process import die_with_parent


def main() -> None:
    """Run ``amper-spark`` for as long as the parent lives."""
    _, parent_pid, *arguments = sys.argv
    die_with_parent(int(parent_pid))
    from amper_spark.cli import main as amper_spark

    amper_spark(arguments, prog_name="amper-spark")


if __name__ == "__main__":
    main()
