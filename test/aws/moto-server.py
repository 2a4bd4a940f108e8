"""Moto as the AWS tests need it: on a free port of loopback, and repaired in two things.

DynamoDB does each write as a whole; moto, with a thread per request, loses some of two that come at once. And a
comparison of a number with a text is false in DynamoDB and a fault in moto. Prints its port once it listens.
"""

import signal
import sys
import threading

from moto.dynamodb import comparisons
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


def comparable(compare):
    def fits(operation, item):
        try:
            return compare(operation, item)
        except TypeError:
            return False

    return fits


for each in (comparisons.OpLessThan, comparisons.OpGreaterThan, comparisons.OpLessThanOrEqual, comparisons.OpGreaterThanOrEqual):
    each.expr = comparable(each.expr)

one_at_a_time = threading.Lock()
moto = DomainDispatcherApplication(create_backend_app)


def application(environ, start_response):
    with one_at_a_time:
        answer = moto(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            if hasattr(answer, "close"):
                answer.close()


server = make_server("127.0.0.1", 0, application, threaded=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(f"moto listens on port {server.port}", flush=True)
server.serve_forever()
