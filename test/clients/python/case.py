"""What the scenario tests share: a client per test, jobs that are cleared away afterwards, waiting for conditions.

A test runs against one kind of server, `main` unless `@on(...)` says otherwise; `run.py` starts each kind.
"""

import os
import time
import unittest

import grpc
import numpy as np

from client import Client
from instances import long_mip, tiny_lp
from wire import Wire

G1 = Wire.load("26.04")
NEXT = Wire.load("next")
WIRES = {"26.04": G1, "next": NEXT}
Code = grpc.StatusCode
JobStatus = G1.JobStatus
ResponseStatus = G1.ResponseStatus
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
PATIENCE_SECONDS = 120
# A test that breaks must not leave a server busy for hours.
LONG_LIMIT_SECONDS = 300.0

# The kinds of server and the flags that make them.
SERVERS = {
    "main": ["--workers", "2", "--upload-limit", "200"],  # refused uploads stay open until they expire
    "narrow": ["--workers", "1", "--queue-limit", "3"],
    "small": ["--workers", "1", "--max-message-bytes", "4096"],
    "expiry": ["--workers", "1", "--upload-idle-seconds", "3", "--download-idle-seconds", "3"],
}


def on(server):
    """Marks a test as one for that kind of server."""

    def mark(test):
        test.server = server
        return test

    return mark


class Case(unittest.TestCase):
    """A test with a client on the server named by SORTIE_TEST_ADDRESS, which speaks 26.04 unless SORTIE_TEST_WIRE says
    "next"."""

    def setUp(self):
        self.client = self.new_client()
        self.rpc = self.client.rpc

    def __str__(self):
        return self._testMethodName.removeprefix("test_").replace("_", " ")

    def new_client(self, wire=None, **options):
        wire = wire or WIRES[os.environ.get("SORTIE_TEST_WIRE", "26.04")]
        client = Client(os.environ["SORTIE_TEST_ADDRESS"], wire, **options)
        self.addCleanup(client.close)
        return client

    # Jobs

    def submit(self, problem, settings=None, incumbents=False, client=None):
        """Submits in one message; the job is cleared away after the test."""
        return self.own((client or self.client).submit_unary(problem, settings, incumbents))

    def own(self, job_id):
        self.assertTrue(job_id)
        self.addCleanup(self._clear, job_id)
        return job_id

    def _clear(self, job_id):
        with Client(os.environ["SORTIE_TEST_ADDRESS"]) as client:
            client.cancel(job_id)
            client.delete(job_id)

    def submit_long(self, incumbents=False):
        """A MIP that does not finish while the test looks at it."""
        return self.submit(long_mip(), {"time_limit": LONG_LIMIT_SECONDS}, incumbents)

    def submit_running(self, incumbents=False):
        """A long MIP that a worker has begun."""
        job_id = self.submit_long(incumbents)
        self.until(lambda: self.state(job_id) == JobStatus.PROCESSING, "the long job is PROCESSING")
        return job_id

    def state(self, job_id):
        return self.client.status(job_id).job_status

    def wait(self, job_id):
        """Waits for the end and returns the final state."""
        return self.client.wait(job_id, timeout=PATIENCE_SECONDS).job_status

    def completed(self, job_id):
        answer = self.client.wait(job_id, timeout=PATIENCE_SECONDS)
        self.assertEqual(answer.job_status, JobStatus.COMPLETED, answer.message)
        return job_id

    def solved(self, problem, settings=None, incumbents=False):
        """Submits, waits and returns the solution."""
        return self.client.result(self.completed(self.submit(problem, settings, incumbents)))

    def completed_lp(self):
        return self.completed(self.submit(tiny_lp()))

    # Uploads

    def upload(self, problem=None, settings=None, incumbents=False):
        """Opens an upload and returns its id."""
        return self.client.start_upload(problem or tiny_lp(), settings, incumbents).upload_id

    def send(self, upload_id, name, offset, total, data):
        """Sends one chunk of raw bytes or of an array in its wire type; returns chunks_received."""
        if not isinstance(data, bytes):
            data, _ = self.client.array_bytes(name, data)
        return self.client.send_chunk(upload_id, self.client.chunk(name, offset, total, data)).chunks_received

    def send_array(self, upload_id, name, array):
        data, element_bytes = self.client.array_bytes(name, array)
        return self.send(upload_id, name, 0, len(data) // element_bytes, data)

    def send_all(self, upload_id, problem, without=()):
        for name, array in problem.arrays.items():
            if name not in without and len(array):
                self.send_array(upload_id, name, array)

    def finish(self, upload_id):
        return self.own(self.client.finish_upload(upload_id).job_id)

    def finish_tiny(self, upload_id, without=()):
        """Completes an upload of the tiny LP: shows that it is still usable, and closes it."""
        self.send_all(upload_id, tiny_lp(), without)
        job_id = self.completed(self.finish(upload_id))
        self.assertAlmostEqual(self.client.result(job_id).objective, 2.8, places=6)

    # Feeds

    def log(self, job_id, from_byte=0):
        """All log messages from `from_byte` to the final one."""
        messages = []
        for message in self.client.log_stream(job_id, from_byte, timeout=PATIENCE_SECONDS):
            messages.append(message)
            if message.job_complete:
                break
        self.assertTrue(messages and messages[-1].job_complete, "the log ends with a final message")
        return messages

    # Assertions

    def assertCode(self, code, call, *args, text="", start="", **kwargs):
        """The call fails with this code, and its text holds `text` and starts with `start`. Returns the text."""
        with self.assertRaises(grpc.RpcError) as caught:
            answer = call(*args, **kwargs)
            if hasattr(answer, "cancel") and hasattr(answer, "__next__"):
                first = next(answer, None)
                self.fail(f"the stream should have failed with {code} and began with {first}")
            self.fail(f"the call should have failed with {code} and answered {answer}")
        details = caught.exception.details() or ""
        self.assertEqual(caught.exception.code(), code, details)
        self.assertIn(text, details)
        self.assertTrue(details.startswith(start), details)
        return details

    def assertRefused(self, call, *args):
        """The door refuses a bad model."""
        return self.assertCode(Code.INVALID_ARGUMENT, call, *args, start="ValidationError: ")

    def assertSameBits(self, one, other):
        """Two solutions are equal to the last bit, NaN and −0 included."""
        self.assertEqual(one.category, other.category)
        self.assertEqual(sorted(one.arrays), sorted(other.arrays))
        for name in one.arrays:
            self.assertEqual(one.arrays[name].tobytes(), other.arrays[name].tobytes(), name)
        self.assertEqual(sorted(one.scalars), sorted(other.scalars))
        for name, value in one.scalars.items():
            if isinstance(value, float):
                self.assertEqual(np.float64(value).tobytes(), np.float64(other.scalars[name]).tobytes(), name)
            else:
                self.assertEqual(value, other.scalars[name], name)

    def until(self, condition, what, seconds=PATIENCE_SECONDS, pause=0.02):
        """Waits until the condition holds and returns what it gave."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                self.fail(f"not within {seconds} s: {what}")
            time.sleep(pause)


def code_of(call, *args):
    """The code that the call ends with: OK or the failure's."""
    try:
        call(*args)
    except grpc.RpcError as error:
        return error.code()
    return Code.OK
