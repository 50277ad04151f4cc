#!/usr/bin/env python3
"""answer.py ANSWERS PROGRAM ARG ...: runs a program on a terminal of its own and answers it.

ANSWERS is JSON, [["question", "answer"], ...]: each answer is typed, with Enter, when its question
has been printed, in this order. What the terminal showed goes to standard output. Ends as the
program ends; with 125 when a question does not come within a minute.
"""
import json
import os
import pty
import select
import sys
import time

PATIENCE_S = 60


def main():
    answers = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    shown, looked_at, deadline = "", 0, time.monotonic() + PATIENCE_S
    while True:
        if answers:
            question, answer = answers[0]
            at = shown.find(question, looked_at)
            if at >= 0:
                looked_at = at + len(question)
                # A password's question silences the terminal first, and drops what came before.
                os.write(terminal, (answer + "\n").encode())
                answers.pop(0)
                deadline = time.monotonic() + PATIENCE_S
                continue
        left = deadline - time.monotonic()
        if left <= 0:
            sys.stdout.write(shown + f"\nanswer.py: waited in vain for {answers[:1]}\n")
            os.kill(child, 9)
            return 125
        ready, _, _ = select.select([terminal], [], [], left)
        if not ready:
            continue
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            piece = b""
        if not piece:
            break
        shown += piece.decode(errors="replace").replace("\r\n", "\n")
    sys.stdout.write(shown)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.exit(main())
