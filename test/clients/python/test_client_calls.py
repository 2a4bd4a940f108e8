"""Rules of the client's conversation, against a scripted server: what it sends, and what it makes of odd answers.

    python3 test_client_calls.py
"""

import unittest
from concurrent import futures

import grpc
import numpy as np

from client import Client, SolveError
from instances import afiro, tiny_lp
from wire import SERVICE, Wire

WIRE = Wire.load("26.04")
LP_OPTIMAL = 2


class Scripted:
    """A server whose RPCs answer as the given functions say; `seen` lists (RPC, request) in order."""

    def __init__(self, **answers):
        self.seen = []
        handlers = {}
        for name, (request, response, mode) in WIRE.table["services"][SERVICE].items():
            make = grpc.unary_stream_rpc_method_handler if mode == "stream" else grpc.unary_unary_rpc_method_handler
            handlers[name] = make(
                self._answer(name, answers.get(name)),
                request_deserializer=getattr(WIRE, request).FromString,
                response_serializer=getattr(WIRE, response).SerializeToString,
            )
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"cuopt.remote.{SERVICE}", handlers),))
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def _answer(self, name, answer):
        def handle(request, context):
            self.seen.append((name, request))
            if answer is None:
                context.abort(grpc.StatusCode.INTERNAL, f"{name} is not scripted")
            return answer(request, context)

        return handle

    def calls(self):
        return [name for name, _ in self.seen]


class ClientCallsTest(unittest.TestCase):
    def connect(self, client_options=None, **answers):
        scripted = Scripted(**answers)
        self.addCleanup(scripted.server.stop, None)
        client = Client(scripted.address, **(client_options or {}))
        self.addCleanup(client.close)
        return client, scripted

    def test_chunked_upload_starts_sends_and_finishes_within_the_servers_budget(self):
        client, scripted = self.connect(
            {"chunk_threshold": 0},
            StartChunkedUpload=lambda *_: WIRE.StartChunkedUploadResponse(upload_id="u", max_message_bytes=400),
            SendArrayChunk=lambda request, _: WIRE.SendArrayChunkResponse(upload_id="u", chunks_received=1),
            FinishChunkedUpload=lambda *_: WIRE.SubmitJobResponse(job_id="j"),
        )
        self.assertEqual(client.submit(afiro()), "j")
        calls = scripted.calls()
        self.assertEqual((calls[0], calls[-1]), ("StartChunkedUpload", "FinishChunkedUpload"))
        self.assertEqual(set(calls[1:-1]), {"SendArrayChunk"})
        sizes = [len(request.chunk.data) for name, request in scripted.seen if name == "SendArrayChunk"]
        self.assertEqual(max(sizes), 360)

    def test_a_small_model_goes_in_one_message(self):
        client, scripted = self.connect(SubmitJob=lambda *_: WIRE.SubmitJobResponse(job_id="j"))
        client.submit(tiny_lp())
        self.assertEqual(scripted.calls(), ["SubmitJob"])

    def test_an_empty_job_id_is_an_error(self):
        client, _ = self.connect(SubmitJob=lambda *_: WIRE.SubmitJobResponse())
        self.assertRaises(SolveError, client.submit, tiny_lp())

    def download(self, chunk, **more):
        """A client of a server that holds the primal values 0 … 9 and answers chunk requests with `chunk`."""
        header = WIRE.ChunkedResultHeader(lp_termination_status=LP_OPTIMAL)
        header.arrays.add(field_id=0, total_elements=10, element_size_bytes=8)
        header.arrays.add(field_id=1, total_elements=0, element_size_bytes=8)
        answers = {
            "CheckStatus": lambda *_: WIRE.StatusResponse(job_status=2),
            "GetResult": lambda _, context: context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too big"),
            "StartChunkedDownload": lambda *_: WIRE.StartChunkedDownloadResponse(download_id="d", header=header),
            "GetResultChunk": lambda request, _: chunk(request),
            "FinishChunkedDownload": lambda *_: WIRE.FinishChunkedDownloadResponse(download_id="d"),
        }
        return self.connect({"chunk_bytes": 32}, **(answers | more))

    @staticmethod
    def slice(request, count):
        data = np.arange(10.0)[request.element_offset :][:count].tobytes()
        return WIRE.GetResultChunkResponse(elements_in_chunk=len(data) // 8, data=data)

    def test_a_result_too_big_for_one_message_is_downloaded(self):
        client, scripted = self.download(lambda request: self.slice(request, request.max_elements))
        solution = client.result("j")
        self.assertEqual(solution.primal.tolist(), list(range(10)))
        self.assertEqual(solution.status, LP_OPTIMAL)
        self.assertEqual(scripted.calls().count("GetResultChunk"), 3)

    def test_a_short_chunk_is_continued_from_where_it_ended(self):
        client, _ = self.download(lambda request: self.slice(request, 1))
        self.assertEqual(client.result("j").primal.tolist(), list(range(10)))

    def test_a_malformed_chunk_is_an_error(self):
        for what, answer in {
            "more than asked": lambda request: WIRE.GetResultChunkResponse(elements_in_chunk=9, data=bytes(72)),
            "wrong length": lambda request: WIRE.GetResultChunkResponse(elements_in_chunk=2, data=bytes(15)),
            "nothing": lambda request: WIRE.GetResultChunkResponse(),
            "negative": lambda request: WIRE.GetResultChunkResponse(elements_in_chunk=-1, data=b""),
        }.items():
            with self.subTest(what):
                self.assertRaises(SolveError, self.download(answer)[0].result, "j")

    def test_a_result_is_delivered_though_finishing_fails(self):
        client, _ = self.download(lambda request: self.slice(request, request.max_elements), FinishChunkedDownload=None)
        self.assertEqual(len(client.result("j").primal), 10)

    def test_a_job_that_fails_or_is_unknown_ends_a_solve(self):
        for state, text in ((3, "Job failed: out of memory"), (4, "Job ID not found"), (999, "")):
            with self.subTest(state=state):
                client, scripted = self.connect(
                    SubmitJob=lambda *_: WIRE.SubmitJobResponse(job_id="j"),
                    CheckStatus=lambda *_: WIRE.StatusResponse(job_status=state, message=text),
                )
                with self.assertRaisesRegex(SolveError, text):
                    client.solve(tiny_lp())
                self.assertNotIn("GetResult", scripted.calls())

    def test_a_timeout_leaves_the_job_alone(self):
        client, scripted = self.connect(
            SubmitJob=lambda *_: WIRE.SubmitJobResponse(job_id="j"),
            CheckStatus=lambda *_: WIRE.StatusResponse(job_status=1),
        )
        with self.assertRaisesRegex(SolveError, "timeout"):
            client.solve(tiny_lp(), timeout=0, poll_seconds=0.01)
        self.assertEqual(set(scripted.calls()), {"SubmitJob", "CheckStatus"})

    def test_a_success_without_a_solution_is_an_error(self):
        client, _ = self.connect(GetResult=lambda *_: WIRE.ResultResponse())
        self.assertRaises(SolveError, client.result_unary, "j")

    def test_a_log_is_followed_to_its_final_message(self):
        lines = [WIRE.LogMessage(line="one"), WIRE.LogMessage(line=""), WIRE.LogMessage(line="two", job_complete=True)]
        seen = []
        self.connect(StreamLogs=lambda *_: iter(lines))[0].follow_log("j", seen.append)
        self.assertEqual(seen, ["one", "two"])
        seen.clear()
        self.connect(StreamLogs=lambda *_: iter(lines))[0].follow_log("j", lambda line: seen.append(line) or False)
        self.assertEqual(seen, ["one"])
        self.connect(StreamLogs=lambda *_: iter(()))[0].follow_log("j", seen.append)
        self.assertEqual(seen, ["one"])

    def test_the_probe_takes_ok_and_not_found_for_a_server(self):
        answers = {
            True: [lambda *_: WIRE.StatusResponse(), lambda _, c: c.abort(grpc.StatusCode.NOT_FOUND, "")],
            False: [lambda _, c: c.abort(grpc.StatusCode.INTERNAL, "")],
        }
        for connected, functions in answers.items():
            for function in functions:
                self.assertEqual(self.connect(CheckStatus=function)[0].probe(), connected)


if __name__ == "__main__":
    unittest.main()
