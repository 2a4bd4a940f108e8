"""Group E: chunked upload."""

import random

import numpy as np

from case import G1, NEXT, Case, Code, on
from instances import AFIRO_OBJECTIVE, afiro, convex_qp, long_mip, sudoku, sudoku_grid, tiny_lp, tiny_mip
from model import problem

LP_OPTIMAL = 2


class GroupE(Case):
    def all_chunks(self, model, chunk_bytes):
        """All chunks of a model, cut to `chunk_bytes`."""
        self.client.chunk_bytes = chunk_bytes
        return list(self.client.chunks(model, 0))

    def solved_from(self, model, chunks):
        """The solution of the job that these chunks make."""
        upload_id = self.upload(model)
        for chunk in chunks:
            self.client.send_chunk(upload_id, chunk)
        return self.client.result(self.completed(self.finish(upload_id)))

    def assertAfiro(self, solution):
        self.assertEqual(solution.status, LP_OPTIMAL)
        self.assertAlmostEqual(solution.objective / AFIRO_OBJECTIVE, 1, places=6)

    def assertSudoku(self, solution):
        self.assertEqual(solution.category, "mip")
        self.assertIn(solution.status, (1, 2))
        grid = sudoku_grid(solution.primal)
        for line in (*grid, *grid.T):
            self.assertEqual(sorted(line), list(range(1, 10)))

    def test_E1_an_lp_in_chunks_is_the_same_lp(self):
        for wire in (G1, NEXT):
            with self.subTest(wire.generation):
                client = self.new_client(wire, chunk_threshold=0, chunk_bytes=8192)
                self.assertAfiro(client.result(self.completed(self.own(client.submit(afiro())))))

    def test_E2_a_mip_in_chunks_has_several_per_array(self):
        chunks = self.all_chunks(sudoku(), 4096)
        self.assertGreater(sum(chunk.field_id == self.client.array_id("A_values") for chunk in chunks), 2)
        self.assertSudoku(self.solved_from(sudoku(), chunks))

    def test_E3_uploads_may_interleave(self):
        models = [(afiro(), AFIRO_OBJECTIVE), (tiny_lp(), 2.8), (tiny_mip(2.0), 2.0)]
        uploads = [self.upload(model) for model, _ in models]
        queues = [self.all_chunks(model, 64) for model, _ in models]
        while any(queues):
            for upload_id, queue in zip(uploads, queues):
                if queue:
                    self.client.send_chunk(upload_id, queue.pop(0))
        jobs = [self.finish(upload_id) for upload_id in uploads]
        self.assertEqual(len(set(jobs)), 3)
        for job_id, (_, objective) in zip(jobs, models):
            self.assertAlmostEqual(self.client.result(self.completed(job_id)).objective / objective, 1, places=6)

    def test_E7_arrays_and_chunks_may_come_in_any_order(self):
        chunks = self.all_chunks(afiro(), 40)
        forwards = self.solved_from(afiro(), chunks)
        backwards = self.solved_from(afiro(), reversed(chunks))
        shuffled = random.Random(7).sample(chunks, len(chunks))
        self.assertAfiro(forwards)
        for other in (backwards, self.solved_from(afiro(), shuffled)):
            for name, array in forwards.arrays.items():
                self.assertEqual(array.tobytes(), other.arrays[name].tobytes(), name)

    def test_E8_names_may_be_cut_anywhere(self):
        model = tiny_lp().with_arrays(variable_names=["größe", "y"], row_names=["first", "second"])
        blob, _ = self.client.array_bytes("variable_names", model.arrays["variable_names"])
        upload_id = self.upload(model)
        self.send_all(upload_id, model, without=["variable_names"])
        total = len(blob) - 1  # the last NUL is missing
        self.send(upload_id, "variable_names", 3, total, blob[3:total])  # inside a name and inside a letter
        self.send(upload_id, "variable_names", 0, total, blob[:3])
        self.assertAlmostEqual(self.client.result(self.completed(self.finish(upload_id))).objective, 2.8, places=6)

    def test_E9_names_may_stand_in_the_header_as_well(self):
        wire = self.client.wire
        header = self.client.problem_header(tiny_lp())
        header.variable_names.extend(["a", "b"])
        header.row_names.extend(["r", "s"])
        for names in (None, ["x", "y"]):
            request = wire.StartChunkedUploadRequest(problem_header=header)
            upload_id = self.rpc.StartChunkedUpload(request, timeout=60).upload_id
            model = tiny_lp() if names is None else tiny_lp().with_arrays(variable_names=names)
            self.send_all(upload_id, model)
            self.assertAlmostEqual(self.client.result(self.completed(self.finish(upload_id))).objective, 2.8, places=6)

    def test_E10_variable_types_take_four_bytes_each(self):
        # maximise the sum of x ≤ 1.5: 6 when continuous, 4 when integer.
        model = problem([1, 1, 1, 1], upper=1.5, integer=range(4), maximize=True)
        upload_id = self.upload(model)
        self.send_all(upload_id, model)
        self.assertAlmostEqual(self.client.result(self.completed(self.finish(upload_id))).objective, 4, places=6)
        bytes_each = self.upload(model)
        text = self.assertCode(
            Code.INVALID_ARGUMENT, self.send, bytes_each, "variable_types", 0, 3, b"\1\1\1", text="aligned"
        )
        self.assertIn("variable_types", text)
        wrong_size = self.upload(model)
        self.send_all(wrong_size, model, without=["variable_types"])
        self.send(wrong_size, "variable_types", 0, 1, b"\1\1\1\1")  # four entries as bytes are one int32
        self.assertRefused(self.client.finish_upload, wrong_size)

    def test_E11_chunks_received_counts_what_was_accepted(self):
        model = tiny_lp()
        upload_id = self.upload(model)
        counts = []
        for name in ("c", "variable_lower_bounds", "A_values", "A_indices"):
            counts.append(self.send_array(upload_id, name, model.arrays[name]))
            self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", -1, 2, bytes(8))
        self.assertEqual(counts, [1, 2, 3, 4])
        self.finish_tiny(upload_id)

    def test_E12_an_upload_is_finished_once(self):
        upload_id = self.upload()
        self.send_all(upload_id, tiny_lp())
        answer = self.client.finish_upload(upload_id)
        self.completed(self.own(answer.job_id))
        self.assertEqual(answer.message, "Job submitted via chunked arrays")
        self.assertCode(Code.NOT_FOUND, self.client.finish_upload, upload_id)
        self.assertCode(Code.NOT_FOUND, self.send_array, upload_id, "c", [1.0, 1.0])

    def test_E13_an_upload_without_arrays_is_refused_and_stays_open(self):
        upload_id = self.upload()
        self.assertRefused(self.client.finish_upload, upload_id)
        self.finish_tiny(upload_id)

    def test_E14_a_hole_is_refused_and_can_be_filled(self):
        model = afiro()
        chunks = self.all_chunks(model, 256)
        missing = next(chunk for chunk in chunks if chunk.field_id == 2 and chunk.element_offset > 0)
        upload_id = self.upload(model)
        for chunk in chunks:
            if chunk != missing:
                self.client.send_chunk(upload_id, chunk)
        text = self.assertRefused(self.client.finish_upload, upload_id)
        self.assertIn("A_values", text)
        self.assertIn(str(missing.element_offset), text)
        self.client.send_chunk(upload_id, missing)
        self.assertAfiro(self.client.result(self.completed(self.finish(upload_id))))

    def test_E15_an_identical_repeat_is_harmless(self):
        chunks = self.all_chunks(afiro(), 128)
        twice = random.Random(15).sample(chunks * 2, 2 * len(chunks))
        self.assertAfiro(self.solved_from(afiro(), twice))

    def test_E15_a_different_chunk_over_the_same_range_is_refused(self):
        for what, offset, data in (
            ("other bytes in the same place", 0, np.array([2.0, 1.0])),
            ("a part of it with other bytes", 1, np.array([5.0])),
        ):
            with self.subTest(what):
                upload_id = self.upload()
                self.send(upload_id, "c", 0, 2, np.array([1.0, 1.0]))
                self.assertRefused(self.send, upload_id, "c", offset, 2, data)
                self.finish_tiny(upload_id, without=["c"])

    def test_E16_a_total_that_changes_is_refused(self):
        upload_id = self.upload()
        self.send(upload_id, "c", 0, 2, np.array([1.0]))
        self.assertRefused(self.send, upload_id, "c", 1, 3, np.array([1.0]))
        self.send(upload_id, "c", 1, 2, np.array([1.0]))
        self.finish_tiny(upload_id, without=["c"])

    @on("narrow")
    def test_E17_sixteen_uploads_may_be_open(self):
        uploads = [self.upload() for _ in range(16)]
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.upload)
        self.finish_tiny(uploads.pop())
        uploads.append(self.upload())
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.upload)
        for upload_id in uploads:
            self.finish_tiny(upload_id)

    @on("expiry")
    def test_E18_an_idle_upload_expires_and_a_busy_one_does_not(self):
        idle = [self.upload() for _ in range(15)]
        busy = self.upload()
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.upload)
        # Chunks keep one alive, refused ones as well as accepted ones, until the slots of the others are free.
        beats = 0

        def slots_are_free():
            nonlocal beats
            beats += 1
            if beats % 2:
                self.send_array(busy, "c", tiny_lp().arrays["c"])
            else:
                self.assertCode(Code.INVALID_ARGUMENT, self.send, busy, "c", -1, 2, bytes(8))
            try:
                return self.upload()
            except Exception:
                return None

        self.until(slots_are_free, "the slots of idle uploads are free again", pause=0.5)
        for upload_id in idle:
            self.assertCode(Code.NOT_FOUND, self.send_array, upload_id, "c", tiny_lp().arrays["c"])
            self.assertCode(Code.NOT_FOUND, self.client.finish_upload, upload_id)
        self.finish_tiny(busy)

    @on("narrow")
    def test_E19_a_full_queue_at_finish_keeps_the_upload(self):
        jobs = [self.submit_long() for _ in range(3)]
        upload_id = self.upload()
        self.send_all(upload_id, tiny_lp())
        for _ in range(2):
            self.assertCode(Code.RESOURCE_EXHAUSTED, self.client.finish_upload, upload_id, text="Job queue full")
        for job_id in jobs:
            self.client.cancel(job_id)
        self.assertAlmostEqual(self.client.result(self.completed(self.finish(upload_id))).objective, 2.8, places=6)

    def test_E20_a_chunked_header_without_the_flag_turns_incumbents_off(self):
        model = long_mip(items=20, knapsacks=2)
        off = self.upload(model, incumbents=False)  # false is the same as absent on this wire
        self.send_all(off, model)
        off_job = self.completed(self.finish(off))
        self.assertEqual(len(self.client.incumbents(off_job).incumbents), 0)
        with_flag = self.upload(model, incumbents=True)
        self.send_all(with_flag, model)
        on_job = self.completed(self.finish(with_flag))
        self.assertGreater(len(self.client.incumbents(on_job).incumbents), 0)

    def test_E21_the_category_of_the_header_decides(self):
        # One integer variable, minimise x with 2x ≥ 1: 1 as a MIP, 0.5 as an LP.
        model = tiny_mip(1.0)
        wire = self.client.wire
        for category, kind, objective in ((1, "mip", 1.0), (0, "lp", 0.5), (None, "lp", 0.5), (9, "lp", 0.5)):
            with self.subTest(category=category):
                header = self.client.problem_header(model)
                header.ClearField("mip_settings")
                if category is None:
                    header.ClearField("header")
                else:
                    header.header.problem_category = category
                request = wire.StartChunkedUploadRequest(problem_header=header)
                upload_id = self.rpc.StartChunkedUpload(request, timeout=60).upload_id
                self.send_all(upload_id, model)
                solution = self.client.result(self.completed(self.finish(upload_id)))
                self.assertEqual(solution.category, kind)
                self.assertAlmostEqual(solution.objective, objective, places=6)

    def test_E22_without_settings_the_defaults_hold(self):
        header = self.client.problem_header(afiro())
        header.ClearField("lp_settings")
        request = self.client.wire.StartChunkedUploadRequest(problem_header=header)
        upload_id = self.rpc.StartChunkedUpload(request, timeout=60).upload_id
        self.send_all(upload_id, afiro())
        self.assertAfiro(self.client.result(self.completed(self.finish(upload_id))))

    def test_E23_any_cut_of_the_arrays_is_the_same_model(self):
        whole = self.solved_from(afiro(), self.all_chunks(afiro(), 1 << 20))
        for chunk_bytes in (8, 24, 100):
            with self.subTest(chunk_bytes=chunk_bytes):
                cut = self.solved_from(afiro(), self.all_chunks(afiro(), chunk_bytes))
                for name, array in whole.arrays.items():
                    self.assertEqual(array.tobytes(), cut.arrays[name].tobytes(), name)

    def test_E23_an_empty_array_is_an_absent_one(self):
        upload_id = self.upload()
        for name in ("b", "row_types", "Q_values", "variable_names", "initial_primal_solution"):
            self.send(upload_id, name, 0, 0, b"")
        self.finish_tiny(upload_id)

    def test_E23_all_eighteen_arrays_may_come(self):
        model = convex_qp().with_arrays(
            variable_names=["x", "y"],
            row_names=["sum"],
            b=np.array([10.0]),
            row_types=b"L",
            initial_primal_solution=np.array([1.0, 1.0]),
            initial_dual_solution=np.array([0.0]),
        )
        self.assertEqual(len(model.arrays), 18)
        for chunk_bytes in (1 << 20, 1):
            solution = self.solved_from(model, self.all_chunks(model, chunk_bytes))
            self.assertEqual(solution.status, LP_OPTIMAL)
            self.assertAlmostEqual(solution.objective, -5, places=4)
