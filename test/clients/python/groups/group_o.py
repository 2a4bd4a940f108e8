"""Group O: what clients after 26.06 may send."""

import numpy as np

from case import NEXT, Case, Code
from instances import tiny_lp
from model import problem

QUADRATIC_CONSTRAINTS = 25


class GroupO(Case):
    def setUp(self):
        super().setUp()
        self.client = self.new_client(NEXT)
        self.rpc = self.client.rpc

    def container_chunk(self, **container):
        return NEXT.ArrayChunk(field_id=0, element_offset=0, total_elements=1, data=bytes(8), **container)

    def test_O4_a_later_client_solves_the_same_lp(self):
        self.assertAlmostEqual(self.solved(tiny_lp()).objective, 2.8, places=6)

    def test_O6_half_a_container_address_is_refused(self):
        upload_id = self.upload()
        for half in ({"container_field_num": QUADRATIC_CONSTRAINTS}, {"container_index": 0}):
            self.assertCode(Code.INVALID_ARGUMENT, self.client.send_chunk, upload_id, self.container_chunk(**half))
        self.finish_tiny(upload_id)

    def test_O7_a_container_that_does_not_exist_is_refused(self):
        upload_id = self.upload()
        for number, index in ((QUADRATIC_CONSTRAINTS, -1), (24, 0)):
            chunk = self.container_chunk(container_field_num=number, container_index=index)
            self.assertCode(Code.INVALID_ARGUMENT, self.client.send_chunk, upload_id, chunk)
        self.finish_tiny(upload_id)

    def test_O8_semi_continuous_variables_work(self):
        # Each x is 0 or between 2 and 5. minimise 3x + 4y with x + y = 3: one of them carries all, x = 3 costs 9;
        # continuous with the same bounds there is no solution, since 2 + 2 > 3.
        model = problem([3, 4], [([1, 1], 3, 3)], lower=2, upper=5, semi_continuous=[0, 1])
        solution = self.solved(model)
        self.assertEqual(solution.status, 1)
        self.assertAlmostEqual(solution.objective, 9, places=6)
        np.testing.assert_allclose(solution.primal, [3, 0], atol=1e-6)

    def test_O9_quadratic_constraints_are_never_silently_dropped(self):
        request = self.client.submit_request(tiny_lp())
        request.lp_request.problem.quadratic_constraints.add(
            constraint_row_type=ord("L"), rhs_value=1.0, rows=[0], cols=[0], vals=[1.0]
        )
        self.assertCode(Code.INVALID_ARGUMENT, self.rpc.SubmitJob, request, text="quadratic")
        header = self.client.problem_header(tiny_lp())
        header.quadratic_constraints.add(constraint_row_type=ord("L"), rhs_value=1.0)
        request = NEXT.StartChunkedUploadRequest(problem_header=header)
        self.assertCode(Code.INVALID_ARGUMENT, self.rpc.StartChunkedUpload, request, text="quadratic")

    def test_O10_a_routing_request_is_refused(self):
        request = NEXT.SubmitJobRequest(vrp_request=NEXT.SolveVRPRequest(header=NEXT.RequestHeader(version=1)))
        self.assertCode(Code.INVALID_ARGUMENT, self.rpc.SubmitJob, request)
