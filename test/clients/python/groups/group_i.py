"""Group I: incumbents."""

import numpy as np

from case import Case, JobStatus, on
from client import SolveError
from instances import afiro, long_mip

# Solved within a second or two, with several incumbents on the way.
QUICK = {"items": 30, "knapsacks": 5}


class GroupI(Case):
    def quick_job(self, incumbents=True):
        """A completed MIP: (job id, model)."""
        model = long_mip(**QUICK)
        return self.completed(self.submit(model, incumbents=incumbents)), model

    def assertFeasible(self, model, objective, assignment):
        assignment = np.asarray(assignment)
        self.assertEqual(len(assignment), model.variables)
        np.testing.assert_allclose(assignment, np.rint(assignment), atol=1e-5)
        self.assertAlmostEqual(model.arrays["c"] @ assignment, objective, places=4)
        activity = model.arrays["A_values"].reshape(model.rows, -1) @ assignment[
            model.arrays["A_indices"].reshape(model.rows, -1)[0]
        ]
        self.assertTrue((activity <= model.arrays["constraint_upper_bounds"] + 1e-4).all())

    def test_I2_nothing_new_is_an_empty_page(self):
        job_id, _ = self.quick_job()
        page = self.client.incumbents(job_id)
        self.assertEqual(page.next_index, len(page.incumbents))
        again = self.client.incumbents(job_id, page.next_index)
        self.assertEqual((len(again.incumbents), again.next_index), (0, page.next_index))

    def test_I4_each_incumbent_is_feasible_and_no_worse(self):
        model, seen = long_mip(**QUICK), []
        solution = self.client.solve(
            model, on_incumbent=lambda index, objective, x: seen.append((index, objective, x)), timeout=120
        )
        self.assertTrue(seen)
        self.assertEqual([index for index, _, _ in seen], list(range(len(seen))))
        for _, objective, assignment in seen:
            self.assertFeasible(model, objective, assignment)
        objectives = [objective for _, objective, _ in seen]
        for before, after in zip(objectives, objectives[1:]):
            self.assertLessEqual(after, before + 1e-6)
        self.assertAlmostEqual(objectives[-1], solution.objective, places=4)

    def test_I5_a_callback_stops_a_long_job(self):
        ids = []
        submit = self.client.submit_unary
        self.client.submit_unary = lambda *args: ids.append(self.own(submit(*args))) or ids[-1]
        with self.assertRaisesRegex(SolveError, "cancelled by the incumbent callback"):
            self.client.solve(long_mip(), {"time_limit": 300.0}, on_incumbent=lambda *_: False, timeout=120)
        self.assertEqual(self.state(ids[0]), JobStatus.CANCELLED)

    def test_I6_pages_of_one_give_each_entry_once(self):
        job_id, _ = self.quick_job()
        everything = self.client.incumbents(job_id)
        self.assertGreater(len(everything.incumbents), 1)
        paged, next_index = [], 0
        while True:
            page = self.client.incumbents(job_id, next_index, 1)
            self.assertTrue(page.job_complete)
            if not page.incumbents:
                break
            self.assertEqual(len(page.incumbents), 1)
            self.assertEqual(page.next_index, next_index + 1)
            paged += page.incumbents
            next_index = page.next_index
        self.assertEqual(paged, list(everything.incumbents))
        self.assertEqual([entry.index for entry in paged], list(range(len(paged))))
        self.assertEqual({entry.job_id for entry in paged}, {job_id})

    @on("small")
    def test_I6_pages_fit_the_servers_message(self):
        job_id, _ = self.quick_job()
        entries, next_index = [], 0
        while True:
            page = self.client.incumbents(job_id, next_index)
            self.assertLessEqual(page.ByteSize(), 4096)
            self.assertEqual(page.next_index, next_index + len(page.incumbents))
            if not page.incumbents:
                break
            entries += page.incumbents
            next_index = page.next_index
        self.assertGreater(len(entries), 1)
        self.assertEqual([entry.index for entry in entries], list(range(len(entries))))

    def test_I7_indices_are_clamped(self):
        job_id, _ = self.quick_job()
        everything = self.client.incumbents(job_id)
        self.assertEqual(self.client.incumbents(job_id, -3), everything)
        self.assertEqual(self.client.incumbents(job_id, 0, -1), everything)
        beyond = self.client.incumbents(job_id, 1000)
        self.assertEqual((len(beyond.incumbents), beyond.next_index), (0, len(everything.incumbents)))

    def test_I8_tracking_that_is_off_gives_none(self):
        job_id, _ = self.quick_job(incumbents=False)
        page = self.client.incumbents(job_id)
        self.assertEqual((len(page.incumbents), page.next_index, page.job_complete), (0, 0, True))

    def test_I9_a_mip_in_one_message_tracks_unless_told_otherwise(self):
        job_id, _ = self.quick_job(incumbents=None)
        self.assertGreater(len(self.client.incumbents(job_id).incumbents), 0)

    def test_I10_incumbents_stay_after_the_end(self):
        completed, _ = self.quick_job()
        page = self.client.incumbents(completed)
        self.assertTrue(page.incumbents and page.job_complete)
        cancelled = self.submit_running(incumbents=True)
        before = self.until(lambda: self.client.incumbents(cancelled).incumbents, "a first incumbent")
        self.assertFalse(self.client.incumbents(cancelled).job_complete)
        self.client.cancel(cancelled)
        after = self.client.incumbents(cancelled)
        self.assertTrue(after.job_complete)
        self.assertEqual(list(after.incumbents)[: len(before)], list(before))
        self.assertFeasible(long_mip(), after.incumbents[-1].objective, after.incumbents[-1].assignment)

    def test_I11_an_lp_has_none(self):
        page = self.client.incumbents(self.completed(self.submit(afiro())))
        self.assertEqual((len(page.incumbents), page.next_index, page.job_complete), (0, 0, True))

    def test_I13_an_iterator_ends_with_the_job(self):
        job_id = self.submit(long_mip(), {"time_limit": 2.0}, incumbents=True)
        streamed = list(self.client.iterate_incumbents(job_id))
        self.assertEqual(self.state(job_id), JobStatus.COMPLETED)
        self.assertTrue(streamed)
        self.assertEqual(streamed, list(self.client.incumbents(job_id).incumbents))
