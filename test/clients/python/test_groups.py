"""Runs the acceptance scenarios against one server that is already running:

    python3 test_groups.py --address HOST:PORT [--groups BCDEFGHIO] [--server main] [--only G13]

Each test carries the number of its scenario. Some need a server with special flags (`SERVERS` in case.py); `--server`
says which kind this one is, and tests for other kinds are not run but counted. `run.py` starts every kind by itself.
"""

import argparse
import importlib
import os
import sys
import unittest

GROUPS = "BCDEFGHIO"


def select(groups, server, only=()):
    """(suite of the tests for this kind of server, number of tests for other kinds)."""
    suite, others = unittest.TestSuite(), 0
    for group in groups:
        module = importlib.import_module(f"groups.group_{group.lower()}")
        case = getattr(module, f"Group{group}")
        for name in unittest.TestLoader().getTestCaseNames(case):
            scenario = name.split("_")[1]
            if only and scenario not in only and name not in only:
                continue
            if getattr(getattr(case, name), "server", "main") == server:
                suite.addTest(case(name))
            else:
                others += 1
    return suite, others


def run(address, groups=GROUPS, server="main", only=(), wire="26.04"):
    """Runs the tests and returns (passed, failed, tests for other kinds of server)."""
    os.environ["SORTIE_TEST_ADDRESS"] = address
    os.environ["SORTIE_TEST_WIRE"] = wire
    suite, others = select(groups, server, only)
    if suite.countTestCases() == 0:
        return 0, 0, others
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len({id_of(test) for test, _ in result.failures + result.errors})
    return result.testsRun - failed, failed, others


def id_of(test):
    """The id of a test, or of the test that a sub-test belongs to."""
    return getattr(test, "test_case", test).id()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", required=True, help="HOST:PORT")
    parser.add_argument("--groups", default=GROUPS, help="letters of the groups to run")
    parser.add_argument("--server", default="main", help="what kind of server this is: main, narrow, small or expiry")
    parser.add_argument("--wire", default="26.04", choices=("26.04", "next"), help="the generation that the client speaks")
    parser.add_argument("--only", nargs="*", default=(), help="scenario numbers or test names")
    options = parser.parse_args()
    passed, failed, others = run(options.address, options.groups.upper(), options.server, options.only, options.wire)
    print(f"{passed} passed, {failed} failed ({others} need a server with other flags)")
    sys.exit(1 if failed or passed == 0 else 0)
