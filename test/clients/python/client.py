"""A client of the cuOpt remote solve service in the manner of the stock one, on Python's grpcio.

    with Client("localhost:5001") as client:
        solution = client.solve(problem, settings={"time_limit": 60})
        print(solution.status, solution.objective, solution.primal)

Small problems travel in one message, large ones in chunks; large results come back in chunks. Every call has a deadline
of 60 s, except those that wait for the solver. Failures of a call are `grpc.RpcError` (`code()`, `details()`).
"""

import threading
import time

import grpc
import numpy as np

from defaults import STOCK_SETTINGS
from model import Solution
from wire import Wire

MIB = 1 << 20
CALL_SECONDS = 60
PROBE_ID = "__connection_probe__"
ELEMENT_TYPE = {"double": np.dtype("<f8"), "int32": np.dtype("<i4"), "VariableType": np.dtype("<i4")}
# The order in which a 26.04 client sends its arrays; later ones send the names first.
UPLOAD_ORDER = (
    "A_values",
    "A_indices",
    "A_offsets",
    "c",
    "variable_lower_bounds",
    "variable_upper_bounds",
    "constraint_lower_bounds",
    "constraint_upper_bounds",
    "b",
    "row_types",
    "variable_types",
    "Q_values",
    "Q_indices",
    "Q_offsets",
    "variable_names",
    "row_names",
)
# Accepted by the wire, not sent by stock clients.
EXTRA_ARRAYS = ("initial_primal_solution", "initial_dual_solution")
RESULT_ARRAYS = {0: "primal_solution", 1: "dual_solution", 2: "reduced_cost", 12: "mip_solution"}


class SolveError(Exception):
    """The job did not end with a result: it failed, was cancelled, is unknown or outlived the client's patience."""


class Client:
    """One connection. `wire` is the generation to speak; sizes are in bytes; `chunk_threshold` is the estimated problem
    size above which chunks are used (default 75 % of `max_message_bytes`, 0 = always)."""

    def __init__(self, address, wire=None, max_message_bytes=256 * MIB, chunk_bytes=16 * MIB, chunk_threshold=None):
        self.wire = wire or Wire.load("26.04")
        self.max_message_bytes = max_message_bytes
        self.chunk_bytes = chunk_bytes
        self.chunk_threshold = max_message_bytes * 3 // 4 if chunk_threshold is None else chunk_threshold
        self.channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_send_message_length", max_message_bytes),
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.use_local_subchannel_pool", 1),  # one connection per client, not one per process
            ],
        )
        self.rpc = self.wire.stubs(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.channel.close()

    def probe(self):
        """True when a server answers within 5 s."""
        try:
            self.rpc.CheckStatus(self.wire.StatusRequest(job_id=PROBE_ID), timeout=5)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.NOT_FOUND
        return True

    # Submission

    def submit(self, problem, settings=None, incumbents=False):
        """Sends the problem the way its size asks for and returns the job's id."""
        if estimated_bytes(problem) > self.chunk_threshold:
            return self.submit_chunked(problem, settings, incumbents)
        return self.submit_unary(problem, settings, incumbents)

    def submit_unary(self, problem, settings=None, incumbents=False):
        """Sends the problem in one message. `incumbents` None leaves the flag out, which the server reads as true."""
        answer = self.rpc.SubmitJob(self.submit_request(problem, settings, incumbents), timeout=CALL_SECONDS)
        if not answer.job_id:
            raise SolveError("the server answered a submission without a job id")
        return answer.job_id

    def submit_chunked(self, problem, settings=None, incumbents=False):
        """Sends the problem array by array in chunks."""
        upload = self.start_upload(problem, settings, incumbents)
        for chunk in self.chunks(problem, upload.max_message_bytes):
            self.send_chunk(upload.upload_id, chunk)
        return self.finish_upload(upload.upload_id).job_id

    def submit_request(self, problem, settings=None, incumbents=False):
        """The message that `submit_unary` sends."""
        wire = self.wire
        message = wire.OptimizationProblem(
            problem_name=problem.problem_name,
            objective_name=problem.objective_name,
            maximize=problem.maximize,
            objective_scaling_factor=problem.objective_scaling_factor,
            objective_offset=problem.objective_offset,
        )
        for name, array in problem.arrays.items():
            if wire.table["messages"]["OptimizationProblem"][name][2] == "repeated":
                getattr(message, name).extend(array.tolist() if isinstance(array, np.ndarray) else array)
            else:
                setattr(message, name, bytes(array))
        arm = {"header": self.header(problem.category), "problem": message}
        if problem.category == "lp":
            arm["settings"] = self.settings("lp", settings)
            return wire.SubmitJobRequest(lp_request=wire.SolveLPRequest(**arm))
        arm["settings"] = self.settings("mip", settings)
        if incumbents is not None:
            arm["enable_incumbents"] = incumbents
        return wire.SubmitJobRequest(mip_request=wire.SolveMIPRequest(**arm))

    def header(self, category):
        """The request header of "lp" or "mip"."""
        return self.wire.RequestHeader(version=1, problem_category=self.wire.ProblemCategory.__dict__[category.upper()])

    def settings(self, category, changes=None):
        """The full settings message of a stock client, with some values changed."""
        message = self.wire.PDLPSolverSettings if category == "lp" else self.wire.MIPSolverSettings
        return message(**(STOCK_SETTINGS[self.wire.generation, category] | (changes or {})))

    def problem_header(self, problem, settings=None, incumbents=False):
        """What opens a chunked upload: the scalars and the settings, no arrays."""
        return self.wire.ChunkedProblemHeader(
            header=self.header(problem.category),
            maximize=problem.maximize,
            objective_scaling_factor=problem.objective_scaling_factor,
            objective_offset=problem.objective_offset,
            problem_name=problem.problem_name,
            objective_name=problem.objective_name,
            enable_incumbents=bool(incumbents),
            **{f"{problem.category}_settings": self.settings(problem.category, settings)},
        )

    def start_upload(self, problem, settings=None, incumbents=False):
        """Opens a chunked upload: answers with `upload_id` and `max_message_bytes`."""
        header = self.problem_header(problem, settings, incumbents)
        return self.rpc.StartChunkedUpload(
            self.wire.StartChunkedUploadRequest(problem_header=header), timeout=CALL_SECONDS
        )

    def send_chunk(self, upload_id, chunk):
        """Sends one chunk: answers with `chunks_received`."""
        request = self.wire.SendArrayChunkRequest(upload_id=upload_id, chunk=chunk)
        return self.rpc.SendArrayChunk(request, timeout=CALL_SECONDS)

    def finish_upload(self, upload_id):
        """Turns an upload into a job: answers with `job_id`."""
        request = self.wire.FinishChunkedUploadRequest(upload_id=upload_id)
        answer = self.rpc.FinishChunkedUpload(request, timeout=CALL_SECONDS)
        if not answer.job_id:
            raise SolveError("the server answered a submission without a job id")
        return answer

    def chunks(self, problem, server_max_message_bytes):
        """All chunks of a problem, in the order of a stock client."""
        order = UPLOAD_ORDER if self.wire.generation == "G1" else UPLOAD_ORDER[-2:] + UPLOAD_ORDER[:-2]
        for name in order + EXTRA_ARRAYS:
            if name in problem.arrays:
                yield from self.array_chunks(name, problem.arrays[name], server_max_message_bytes)

    def array_chunks(self, name, array, server_max_message_bytes):
        """The chunks of one array; an empty array has none."""
        data, element_bytes = self.array_bytes(name, array)
        per_chunk = elements_per_chunk(self.chunk_bytes, server_max_message_bytes, element_bytes)
        total = len(data) // element_bytes
        for offset in range(0, total, per_chunk):
            yield self.chunk(name, offset, total, data[offset * element_bytes : (offset + per_chunk) * element_bytes])

    def chunk(self, name, offset, total, data):
        """One chunk of the array with the wire name `name`; offset and total count elements."""
        return self.wire.ArrayChunk(
            field_id=self.array_id(name), element_offset=offset, total_elements=total, data=bytes(data)
        )

    def array_id(self, name):
        return self.wire.numbers_of("ArrayFieldId")[f"FIELD_{name.upper()}"]

    def array_bytes(self, name, array):
        """(bytes of the whole array as they travel, bytes per element)."""
        kind = self.wire.field_type("OptimizationProblem", name)
        if kind == "string":
            return b"".join(text.encode("utf-8") + b"\0" for text in array), 1
        if kind == "bytes":
            return bytes(array), 1
        dtype = ELEMENT_TYPE[kind]
        return np.ascontiguousarray(array, dtype=dtype).tobytes(), dtype.itemsize

    # The life of a job

    def status(self, job_id):
        return self.rpc.CheckStatus(self.wire.StatusRequest(job_id=job_id), timeout=CALL_SECONDS)

    def wait(self, job_id, timeout=None):
        """Blocks until the job has ended, without a deadline unless one is given in seconds."""
        return self.rpc.WaitForCompletion(self.wire.WaitRequest(job_id=job_id), timeout=timeout)

    def cancel(self, job_id):
        return self.rpc.CancelJob(self.wire.CancelRequest(job_id=job_id), timeout=CALL_SECONDS)

    def cancelled(self, job_id):
        """Cancels; true when the job is cancelled now or was before."""
        return self.cancel(job_id).status == self.wire.ResponseStatus.SUCCESS

    def delete(self, job_id):
        return self.rpc.DeleteResult(self.wire.DeleteRequest(job_id=job_id), timeout=CALL_SECONDS)

    def deleted(self, job_id):
        """Deletes; (true, text), or (false, text) when there was nothing to delete."""
        answer = self.delete(job_id)
        return answer.status == self.wire.ResponseStatus.SUCCESS, answer.message

    def solve(self, problem, settings=None, on_log=None, on_incumbent=None, timeout=None, poll_seconds=0.1):
        """Submits, follows, fetches and deletes. `on_log(line)` and `on_incumbent(index, objective, assignment)` return
        False to stop; a stop by the latter cancels the job. `timeout` in seconds ends the waiting, not the job."""
        job_id = self.submit(problem, settings, incumbents=on_incumbent is not None)
        log = None
        if on_log:
            log = threading.Thread(target=self.follow_log, args=(job_id, on_log), daemon=True)
            log.start()
        self._follow(job_id, on_incumbent, timeout, poll_seconds)
        if log:
            log.join(timeout=5)
        solution = self.result(job_id)
        self.delete(job_id)
        return solution

    def _follow(self, job_id, on_incumbent, timeout, poll_seconds):
        jobs, next_index = self.wire.JobStatus, 0
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            status = self.status(job_id)
            if on_incumbent:
                next_index, go_on = self._deliver(job_id, next_index, on_incumbent)
                if not go_on:
                    self.cancel(job_id)
                    raise SolveError("cancelled by the incumbent callback")
            if status.job_status == jobs.COMPLETED:
                return
            if status.job_status not in (jobs.QUEUED, jobs.PROCESSING):
                raise SolveError(status.message or f"the job ended with state {status.job_status}")
            if deadline is not None and time.monotonic() > deadline:
                raise SolveError(f"timeout: no result within {timeout} s; the job goes on")
            time.sleep(poll_seconds)

    def _deliver(self, job_id, next_index, on_incumbent):
        page = self.incumbents(job_id, next_index)
        for entry in page.incumbents:
            if on_incumbent(entry.index, entry.objective, np.array(entry.assignment)) is False:
                return page.next_index, False
        return page.next_index, True

    # Results

    def result(self, job_id):
        """The solution by the way that its size asks for."""
        status = self.status(job_id)
        limit = min(self.max_message_bytes, status.max_message_bytes or self.max_message_bytes)
        if status.result_size_bytes > limit:
            return self.result_chunked(job_id)
        try:
            return self.result_unary(job_id)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            return self.result_chunked(job_id)

    def get_result(self, job_id):
        return self.rpc.GetResult(self.wire.GetResultRequest(job_id=job_id), timeout=CALL_SECONDS)

    def result_unary(self, job_id):
        """The solution in one message; SolveError when the job failed."""
        answer = self.get_result(job_id)
        if answer.status != self.wire.ResponseStatus.SUCCESS:
            raise SolveError(answer.error_message)
        arm = answer.WhichOneof("solution")
        if arm is None:
            raise SolveError("the server answered SUCCESS without a solution")
        message = getattr(answer, arm)
        scalars, arrays = {}, {}
        for descriptor in message.DESCRIPTOR.fields:
            value = getattr(message, descriptor.name)
            if descriptor.message_type is not None:
                continue
            if descriptor.label == descriptor.LABEL_REPEATED:
                if value:
                    arrays[descriptor.name] = np.array(value, dtype=np.float64)
            else:
                scalars[descriptor.name] = value
        return Solution("lp" if arm == "lp_solution" else "mip", arrays, scalars)

    def start_download(self, job_id):
        return self.rpc.StartChunkedDownload(
            self.wire.StartChunkedDownloadRequest(job_id=job_id), timeout=CALL_SECONDS
        )

    def result_chunk(self, download_id, field_id, element_offset, max_elements):
        request = self.wire.GetResultChunkRequest(
            download_id=download_id, field_id=field_id, element_offset=element_offset, max_elements=max_elements
        )
        return self.rpc.GetResultChunk(request, timeout=CALL_SECONDS)

    def finish_download(self, download_id):
        request = self.wire.FinishChunkedDownloadRequest(download_id=download_id)
        return self.rpc.FinishChunkedDownload(request, timeout=CALL_SECONDS)

    def result_chunked(self, job_id):
        """The solution array by array in chunks."""
        download = self.start_download(job_id)
        arrays = self.download_arrays(download)
        try:
            self.finish_download(download.download_id)
        except grpc.RpcError:
            pass  # everything has arrived; the server forgets the download by itself
        return self.solution_from(download.header, arrays)

    def download_arrays(self, download):
        """All arrays of an open download as {array id: float64 array}."""
        arrays = {}
        for entry in download.header.arrays:
            if entry.element_size_bytes != 8:
                raise SolveError(f"result array {entry.field_id}: {entry.element_size_bytes} bytes per element, not 8")
            if entry.total_elements > 0:
                arrays[entry.field_id] = self._download_array(download, entry)
        return arrays

    def _download_array(self, download, entry):
        array = np.empty(entry.total_elements, dtype="<f8")
        per_chunk = elements_per_chunk(self.chunk_bytes, download.max_message_bytes, 8)
        offset = 0
        while offset < len(array):
            asked = min(per_chunk, len(array) - offset)
            part = self.result_chunk(download.download_id, entry.field_id, offset, asked)
            if not 0 < part.elements_in_chunk <= asked or len(part.data) != 8 * part.elements_in_chunk:
                raise SolveError(
                    f"result array {entry.field_id}: asked for {asked} elements at {offset}, got a count of "
                    f"{part.elements_in_chunk} with {len(part.data)} bytes"
                )
            array[offset : offset + part.elements_in_chunk] = np.frombuffer(part.data, dtype="<f8")
            offset += part.elements_in_chunk
        return array

    def solution_from(self, header, arrays):
        """The Solution that a download's header and arrays make up."""
        category = "lp" if header.problem_category == self.wire.ProblemCategory.LP else "mip"
        message = "LPSolution" if category == "lp" else "MIPSolution"
        scalars = {
            name: getattr(header, name)
            for name, (_, kind, label) in self.wire.table["messages"][message].items()
            if label != "repeated" and kind != "PDLPWarmStartData"
        }
        named = {RESULT_ARRAYS[number]: array for number, array in arrays.items() if number in RESULT_ARRAYS}
        return Solution(category, named, scalars)

    # Feeds

    def log_stream(self, job_id, from_byte=0, timeout=None):
        """The raw stream of log messages, to iterate over or cancel()."""
        return self.rpc.StreamLogs(self.wire.StreamLogsRequest(job_id=job_id, from_byte=from_byte), timeout=timeout)

    def follow_log(self, job_id, on_line, from_byte=0):
        """Calls `on_line(line)` for every line that is not empty, until the job ends or the callback returns False."""
        stream = self.log_stream(job_id, from_byte)
        for message in stream:
            if message.line and on_line(message.line) is False:
                stream.cancel()
                return
            if message.job_complete:
                stream.cancel()
                return

    def incumbents(self, job_id, from_index=0, max_count=0):
        """One page of incumbents; `max_count` 0 asks for all."""
        request = self.wire.IncumbentRequest(job_id=job_id, from_index=from_index, max_count=max_count)
        return self.rpc.GetIncumbents(request, timeout=CALL_SECONDS)

    def iterate_incumbents(self, job_id, poll_seconds=0.1):
        """Every incumbent once, in order, until the job has ended and nothing is left."""
        next_index = 0
        while True:
            page = self.incumbents(job_id, next_index)
            yield from page.incumbents
            next_index = page.next_index
            if page.job_complete and not page.incumbents:
                return
            if not page.incumbents:
                time.sleep(poll_seconds)


def elements_per_chunk(chunk_bytes, server_max_message_bytes, element_bytes):
    """How many elements a chunk may hold: the budget is the chunk size, cut to 90 % of the server's message size."""
    budget = chunk_bytes if chunk_bytes > 0 else MIB
    if server_max_message_bytes > 0:
        budget = min(budget, server_max_message_bytes * 9 // 10)
    return max(budget // element_bytes, 1)


def estimated_bytes(problem):
    """The size estimate by which a stock client chooses between one message and chunks."""
    total = 512
    for name, array in problem.arrays.items():
        if name in ("variable_names", "row_names"):
            total += sum(len(text) + 2 for text in array)
        elif name in ("row_types", "variable_types"):
            total += len(array)
        elif name.endswith(("_indices", "_offsets")):
            total += 5 * len(array)
        else:
            total += 8 * len(array)
    return total
