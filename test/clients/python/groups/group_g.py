"""Group G: download."""

import math
import random

import numpy as np

from case import Case, Code, JobStatus, on
from instances import AFIRO_OBJECTIVE, afiro, crossed_bounds_lp, flugpl, sudoku, sudoku_grid, tiny_mip, unbounded_lp
from model import problem

PRIMAL, DUAL, REDUCED_COST, WARM_START, MIP_SOLUTION = 0, 1, 2, 3, 12
LP_OPTIMAL = 2
SUDOKU_BYTES = 729 * 8


class GroupG(Case):
    def start(self, model):
        """A download of the model's result: (job id, download, the same result from GetResult)."""
        job_id = self.completed(self.submit(model))
        return job_id, self.open(job_id), self.client.result_unary(job_id)

    def open(self, job_id):
        """An open download; it is finished after the test."""
        download = self.client.start_download(job_id)
        self.addCleanup(self._finish, download.download_id)
        return download

    def _finish(self, download_id):
        try:
            self.client.finish_download(download_id)
        except Exception:
            pass  # finished or expired in the test

    def count_calls(self, *names):
        """Counts the client's calls of these RPCs from now on: {name: calls}."""
        calls = dict.fromkeys(names, 0)
        for name in names:
            original = getattr(self.rpc, name)

            def counted(*args, name=name, original=original, **kwargs):
                calls[name] += 1
                return original(*args, **kwargs)

            setattr(self.rpc, name, counted)
        return calls

    def assertSudoku(self, solution):
        grid = sudoku_grid(solution.primal)
        for line in (*grid, *grid.T):
            self.assertEqual(sorted(line), list(range(1, 10)))

    def values(self, download_id, field_id, offset, count):
        chunk = self.client.result_chunk(download_id, field_id, offset, count)
        self.assertEqual((chunk.download_id, chunk.field_id, chunk.element_offset), (download_id, field_id, offset))
        self.assertEqual(len(chunk.data), 8 * chunk.elements_in_chunk)
        return np.frombuffer(chunk.data, dtype="<f8")

    def test_G1_a_small_result_comes_in_one_message(self):
        calls = self.count_calls("GetResult", "StartChunkedDownload")
        self.client.result(self.completed_lp())
        self.assertEqual(calls, {"GetResult": 1, "StartChunkedDownload": 0})

    @on("small")
    def test_G2_a_result_above_the_servers_message_is_downloaded(self):
        client = self.client
        calls = self.count_calls("GetResult", "StartChunkedDownload", "GetResultChunk")
        upload = client.start_upload(sudoku())
        self.assertEqual(upload.max_message_bytes, 4096)
        for chunk in client.chunks(sudoku(), upload.max_message_bytes):
            client.send_chunk(upload.upload_id, chunk)
        job_id = self.completed(self.finish(upload.upload_id))
        self.assertEqual(client.status(job_id).result_size_bytes, SUDOKU_BYTES)
        self.assertEqual(client.status(job_id).max_message_bytes, 4096)
        self.assertSudoku(client.result(job_id))
        self.assertEqual(calls, {"GetResult": 0, "StartChunkedDownload": 1, "GetResultChunk": 2})

    @on("small")
    def test_G3_models_go_up_and_down_every_way(self):
        calls = self.count_calls("SubmitJob", "StartChunkedUpload", "GetResult", "StartChunkedDownload")

        def route(model, chunked):
            before = dict(calls)
            submit = self.client.submit_chunked if chunked else self.client.submit_unary
            solution = self.client.result(self.completed(self.own(submit(model))))
            return solution, [name for name in calls if calls[name] > before[name]]

        solution, used = route(afiro(), chunked=False)
        self.assertAlmostEqual(solution.objective / AFIRO_OBJECTIVE, 1, places=6)
        self.assertEqual(used, ["SubmitJob", "GetResult"])
        solution, used = route(afiro(), chunked=True)
        self.assertAlmostEqual(solution.objective / AFIRO_OBJECTIVE, 1, places=6)
        self.assertEqual(used, ["StartChunkedUpload", "GetResult"])
        solution, used = route(sudoku(), chunked=True)
        self.assertSudoku(solution)
        self.assertEqual(used, ["StartChunkedUpload", "StartChunkedDownload"])
        solution, used = route(tiny_mip(2.0), chunked=False)
        self.assertAlmostEqual(solution.objective, 2, places=6)
        self.assertEqual(used, ["SubmitJob", "GetResult"])

    @on("small")
    def test_G3_a_request_above_the_servers_message_is_refused_and_the_connection_lives(self):
        # Scenario A7 as well.
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.client.submit_unary, sudoku())
        self.completed_lp()

    @on("small")
    def test_G6_a_result_too_big_for_one_message_points_to_the_chunks(self):
        job_id = self.completed(self.own(self.client.submit_chunked(sudoku())))
        text = self.assertCode(Code.RESOURCE_EXHAUSTED, self.client.get_result, job_id)
        self.assertIn("StartChunkedDownload", text)
        self.assertSudoku(self.client.result_chunked(job_id))

    def test_G7_the_header_has_the_scalars_and_lists_the_arrays(self):
        wire = self.client.wire
        for model, category, sizes in (
            (afiro(), wire.ProblemCategory.LP, {PRIMAL: 32, DUAL: 27, REDUCED_COST: 32}),
            (flugpl(), wire.ProblemCategory.MIP, {MIP_SOLUTION: 18}),
        ):
            with self.subTest(category=category):
                _, download, unary = self.start(model)
                header = download.header
                self.assertEqual(header.problem_category, category)
                self.assertEqual({entry.field_id: entry.total_elements for entry in header.arrays}, sizes)
                self.assertEqual({entry.element_size_bytes for entry in header.arrays}, {8})
                self.assertGreater(download.max_message_bytes, 0)
                self.assertSameBits(self.client.solution_from(header, self.client.download_arrays(download)), unary)

    def test_G8_a_slice_has_exactly_what_was_asked_for_or_is_left(self):
        _, download, unary = self.start(afiro())
        got = [self.values(download.download_id, PRIMAL, offset, 5) for offset in range(0, 32, 5)]
        self.assertEqual([len(part) for part in got], [5] * 6 + [2])
        self.assertEqual(np.concatenate(got).tobytes(), unary.primal.tobytes())

    def test_G9_no_number_means_all_that_is_left(self):
        _, download, unary = self.start(afiro())
        for count in (0, -5):
            for offset in (0, 7, 31):
                part = self.values(download.download_id, PRIMAL, offset, count)
                self.assertEqual(part.tobytes(), unary.primal[offset:].tobytes())

    def test_G10_an_offset_outside_the_array_is_out_of_range(self):
        _, download, _ = self.start(afiro())
        for offset in (-1, 32, 33):
            self.assertCode(Code.OUT_OF_RANGE, self.client.result_chunk, download.download_id, PRIMAL, offset, 1)
        self.assertEqual(len(self.values(download.download_id, PRIMAL, 31, 1)), 1)

    def test_G11_an_array_that_is_not_there_is_refused(self):
        _, download, _ = self.start(afiro())
        for field_id in (MIP_SOLUTION, WARM_START, 99):
            self.assertCode(Code.INVALID_ARGUMENT, self.client.result_chunk, download.download_id, field_id, 0, 1)

    def test_G12_slices_may_overlap_repeat_and_come_in_any_order(self):
        _, download, unary = self.start(afiro())
        other = self.open(self.completed(self.submit(afiro())))
        choose = random.Random(12)
        for _ in range(60):
            offset, count = choose.randrange(32), choose.randrange(1, 33)
            part = self.values(download.download_id, PRIMAL, offset, count)
            self.assertEqual(part.tobytes(), unary.primal[offset : offset + count].tobytes())
        self.assertNotEqual(download.download_id, other.download_id)

    def test_G13_a_download_outlives_the_job(self):
        job_id, download, unary = self.start(afiro())
        self.client.delete(job_id)
        self.assertEqual(self.state(job_id), JobStatus.NOT_FOUND)
        arrays = self.client.download_arrays(download)
        self.assertSameBits(self.client.solution_from(download.header, arrays), unary)
        self.client.finish_download(download.download_id)
        self.assertCode(Code.NOT_FOUND, self.client.result_chunk, download.download_id, PRIMAL, 0, 1)
        self.assertCode(Code.NOT_FOUND, self.client.finish_download, download.download_id)

    @on("narrow")
    def test_G14_sixteen_downloads_may_be_open(self):
        job_id = self.completed_lp()
        downloads = [self.open(job_id) for _ in range(16)]
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.client.start_download, job_id)
        self.finish_tiny(self.upload())  # uploads are counted for themselves
        self.client.finish_download(downloads[0].download_id)
        self.open(job_id)
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.client.start_download, job_id)

    @on("expiry")
    def test_G15_an_idle_download_expires_and_a_busy_one_does_not(self):
        job_id = self.completed_lp()
        idle = [self.open(job_id).download_id for _ in range(15)]
        busy = self.open(job_id).download_id
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.client.start_download, job_id)

        def slots_are_free():
            self.values(busy, PRIMAL, 0, 1)
            try:
                return self.open(job_id)
            except Exception:
                return None

        self.until(slots_are_free, "the slots of idle downloads are free again", pause=0.5)
        for download_id in idle:
            self.assertCode(Code.NOT_FOUND, self.client.result_chunk, download_id, PRIMAL, 0, 1)
        self.values(busy, PRIMAL, 0, 1)

    def test_G19_special_values_are_the_same_on_both_ways(self):
        inf = math.inf
        free = problem([1, 0, 0], [([1, 0, 0], -3, 3)], lower=[-inf, -0.0, -inf], upper=[inf, -0.0, inf])
        scalars = []
        for model in (free, crossed_bounds_lp(), unbounded_lp(), tiny_mip(), tiny_mip().with_arrays(A_values=[0.0])):
            job_id = self.completed(self.submit(model))
            unary = self.client.result_unary(job_id)
            self.assertSameBits(unary, self.client.result_chunked(job_id))
            scalars += [value for value in unary.scalars.values() if isinstance(value, float)]
        self.assertTrue(any(not math.isfinite(value) for value in scalars), "no case gave NaN or infinity")
