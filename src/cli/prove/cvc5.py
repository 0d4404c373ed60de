"""Speaks SMT-LIB as the program cvc5 does, with the library of the Python package cvc5.

Takes how long one question may take, in milliseconds.
"""

import sys

import cvc5

PATIENCE_MS = sys.argv[1]


class Session:
    """What holds until the next reset."""

    def __init__(self):
        terms = cvc5.TermManager()
        self.solver = cvc5.Solver(terms)
        self.solver.setOption("tlimit-per", PATIENCE_MS)
        self.symbols = cvc5.SymbolManager(terms)

    def run(self, script):
        parser = cvc5.InputParser(self.solver, self.symbols)
        parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script, "stdin")
        command = parser.nextCommand()
        while not command.isNull():
            sys.stdout.write(command.invoke(self.solver, self.symbols))
            command = parser.nextCommand()
        sys.stdout.flush()


session = Session()
script = ""
for line in sys.stdin:
    if line == "(reset)\n":
        session = Session()
        script = ""
        continue
    script += line
    if line in ("(check-sat)\n", "(get-model)\n"):
        session.run(script)
        script = ""
