"""Group C: solving."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np

from case import G1, NEXT, PATIENCE_SECONDS, Case, Code, JobStatus, ResponseStatus
from instances import (
    AFIRO_OBJECTIVE,
    FLUGPL_OBJECTIVE,
    afiro,
    convex_qp,
    crossed_bounds_lp,
    demo_lp,
    flugpl,
    long_mip,
    tiny_lp,
    tiny_mip,
)
from model import problem

LP_OPTIMAL, LP_INFEASIBLE = 2, 3
MIP_OPTIMAL, MIP_FEASIBLE, MIP_TIME_LIMIT = 1, 2, 5


class GroupC(Case):
    def assertAfiro(self, solution):
        self.assertEqual(solution.category, "lp")
        self.assertEqual(solution.status, LP_OPTIMAL)
        self.assertAlmostEqual(solution.objective / AFIRO_OBJECTIVE, 1, places=6)
        self.assertEqual((len(solution.primal), len(solution.dual), len(solution.reduced_cost)), (32, 27, 32))

    def test_C1_an_lp_is_solved_by_polling(self):
        for wire in (G1, NEXT):
            with self.subTest(wire.generation):
                client = self.new_client(wire)
                job_id = self.submit(afiro(), client=client)
                self.until(lambda: client.status(job_id).job_status == JobStatus.COMPLETED, "afiro is COMPLETED")
                self.assertAfiro(client.result_unary(job_id))

    def test_C2_an_lp_is_solved_by_waiting(self):
        job_id = self.submit(afiro())
        answer = self.client.wait(job_id, timeout=PATIENCE_SECONDS)
        self.assertEqual(answer.job_status, JobStatus.COMPLETED)
        self.assertGreater(answer.result_size_bytes, 0)
        self.assertEqual(answer.message, "")
        self.assertAfiro(self.client.result(job_id))

    def test_C3_one_call_solves_and_clears_up(self):
        ids = []
        submit = self.client.submit_unary
        self.client.submit_unary = lambda *args: ids.append(submit(*args)) or ids[-1]
        self.assertAfiro(self.client.solve(afiro(), timeout=PATIENCE_SECONDS))
        self.assertEqual(self.state(self.own(ids[0])), JobStatus.NOT_FOUND)

    def test_C4_a_job_goes_step_by_step(self):
        answer = self.rpc.SubmitJob(self.client.submit_request(tiny_lp()), timeout=60)
        self.assertEqual(answer.message, "Job submitted successfully")
        self.assertRegex(answer.job_id, "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
        job_id = self.completed(self.own(answer.job_id))
        self.assertAlmostEqual(self.client.result(job_id).objective, 2.8, places=6)
        self.assertEqual(self.client.delete(job_id).status, ResponseStatus.SUCCESS)
        self.assertEqual(self.state(job_id), JobStatus.NOT_FOUND)

    def test_C5_a_result_before_the_end_is_not_ready(self):
        job_id = self.submit_long()
        self.assertCode(Code.UNAVAILABLE, self.client.get_result, job_id, text="Result not ready")

    def test_C6_crossed_bounds_complete_as_infeasible(self):
        job_id = self.completed(self.submit(crossed_bounds_lp()))
        self.assertEqual(self.client.result(job_id).status, LP_INFEASIBLE)

    def test_C7_a_mip_is_solved(self):
        for wire in (G1, NEXT):
            for optimum in (1.0, 2.0):
                with self.subTest(wire.generation, optimum=optimum):
                    client = self.new_client(wire)
                    solution = client.result(self.completed(self.submit(tiny_mip(optimum), client=client)))
                    self.assertEqual((solution.category, solution.status), ("mip", MIP_OPTIMAL))
                    self.assertAlmostEqual(solution.objective, optimum, places=6)

    def test_C7_a_real_mip_is_solved(self):
        solution = self.solved(flugpl())
        self.assertEqual(solution.status, MIP_OPTIMAL)
        self.assertAlmostEqual(solution.objective / FLUGPL_OBJECTIVE, 1, places=4)
        self.assertLessEqual(solution.scalars["max_int_violation"], 1e-5)

    def test_C8_jobs_follow_each_other_on_one_connection(self):
        ids = set()
        for _ in range(3):
            job_id = self.completed(self.submit(afiro()))
            self.assertAfiro(self.client.result(job_id))
            ids.add(job_id)
        self.assertEqual(len(ids), 3)

    def test_C9_two_clients_get_their_own_answers(self):
        models = [(afiro(), AFIRO_OBJECTIVE), (tiny_lp(), 2.8), (demo_lp(), 0.36)]
        clients = [self.client, self.new_client()]
        work = [(client, *each) for client in clients for each in models]
        with ThreadPoolExecutor(len(work)) as pool:
            ids = list(pool.map(lambda each: each[0].submit(each[1]), work))
            for job_id in ids:
                self.own(job_id)
            solutions = list(pool.map(lambda each: each[0][0].result(self.completed(each[1])), zip(work, ids)))
        self.assertEqual(len(set(ids)), len(work))
        for (_, _, objective), solution in zip(work, solutions):
            self.assertEqual(solution.status, LP_OPTIMAL)
            self.assertAlmostEqual(solution.objective / objective, 1, places=6)

    def test_C11_a_result_can_be_read_again_and_again(self):
        job_id = self.completed(self.submit(afiro()))
        first = self.client.result_unary(job_id)
        self.assertSameBits(first, self.client.result_unary(job_id))
        self.assertSameBits(first, self.client.result_chunked(job_id))

    def test_C12_the_lp_arm_relaxes_integers(self):
        integers = tiny_lp().with_arrays(variable_types=np.ones(2, dtype=np.int32))
        solution = self.solved(integers)
        self.assertEqual(solution.category, "lp")
        self.assertAlmostEqual(solution.objective, 2.8, places=6)

    def test_C13_objectives_are_in_the_users_sense_with_offset_and_scaling(self):
        self.assertAlmostEqual(self.solved(tiny_lp()).objective, 2.8, places=6)
        self.assertAlmostEqual(self.solved(tiny_lp(objective_offset=10.0)).objective, 12.8, places=6)
        scaled = self.solved(tiny_lp(objective_scaling_factor=2.0))
        self.assertEqual(scaled.status, LP_OPTIMAL)
        self.assertAlmostEqual(scaled.objective, 5.6, places=6)
        mip = tiny_mip(2.0).changed(objective_offset=-1.0, objective_scaling_factor=3.0)
        self.assertAlmostEqual(self.solved(mip).objective, 3.0, places=6)

    def test_C14_a_time_limit_ends_a_mip(self):
        solution = self.solved(long_mip(), {"time_limit": 1.0})
        self.assertIn(solution.status, (MIP_TIME_LIMIT, MIP_FEASIBLE))
        self.assertEqual(len(solution.primal), 250)

    def test_C16_an_inconsistent_matrix_is_refused_at_the_door(self):
        good = tiny_lp()
        faults = {
            "offsets that do not end at the number of entries": {"A_offsets": np.array([0, 2, 5], dtype=np.int32)},
            "offsets that descend": {"A_offsets": np.array([0, 5, 4], dtype=np.int32)},
            "a column index out of range": {"A_indices": np.array([0, 1, 0, 2], dtype=np.int32)},
            "a negative column index": {"A_indices": np.array([0, 1, 0, -1], dtype=np.int32)},
            "values that are not numbers": {"A_values": np.array([1, np.nan, 3, 1])},
            "bounds of the wrong length": {"variable_upper_bounds": np.array([1.0])},
        }
        for what, arrays in faults.items():
            with self.subTest(what):
                bad = good.with_arrays(**arrays)
                self.assertRefused(self.client.submit_unary, bad)
                upload_id = self.upload(bad)
                self.send_all(upload_id, bad)
                self.assertRefused(self.client.finish_upload, upload_id)
                # Still open: the same chunks may come again, and the answer is the same.
                self.send_all(upload_id, bad)
                self.assertRefused(self.client.finish_upload, upload_id)
        self.assertAlmostEqual(self.solved(good).objective, 2.8, places=6)

    def test_C17_a_model_that_kills_workers_elsewhere_is_refused(self):
        no_objective = tiny_lp().with_arrays(c=np.array([]))
        self.assertRefused(self.client.submit_unary, no_objective)
        wrong_type = tiny_mip().with_arrays(variable_types=np.array([7], dtype=np.int32))
        self.assertRefused(self.client.submit_unary, wrong_type)
        self.assertAlmostEqual(self.solved(tiny_lp()).objective, 2.8, places=6)

    def test_C18_a_convex_qp_is_minimised_without_one_half(self):
        solution = self.solved(convex_qp())
        self.assertEqual(solution.status, LP_OPTIMAL)
        self.assertAlmostEqual(solution.objective, -5, places=4)
        np.testing.assert_allclose(solution.primal, [1, 2], atol=1e-3)

    def test_C19_maximising_a_convex_qp_is_never_called_optimal(self):
        # x² + y² over a box has its maximum in a corner, which a convex solver cannot prove.
        model = problem([0, 0], [([1, 1], -5, 5)], lower=-1, upper=2, quadratic=[[1, 0], [0, 1]], maximize=True)
        try:
            job_id = self.submit(model)
        except grpc.RpcError as error:
            self.assertEqual(error.code(), Code.INVALID_ARGUMENT)
            return
        solution = self.client.result(self.completed(job_id))
        self.assertNotEqual(solution.status, LP_OPTIMAL)
