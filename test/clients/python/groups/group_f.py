"""Group F: chunk validation. Each test uses a fresh upload and shows at its end that the upload is still usable."""

from math import inf

import numpy as np

from case import UNKNOWN_ID, Case, Code, on
from instances import tiny_lp
from model import problem


def box_lp(n):
    """maximise the sum of n variables between 0 and 1: optimum n."""
    return problem([1] * n, [([1] * n, -inf, n)], upper=1, maximize=True)


class GroupF(Case):
    def send_id(self, upload_id, field_id, offset, total, data):
        chunk = self.client.wire.ArrayChunk(field_id=field_id, element_offset=offset, total_elements=total, data=data)
        return self.client.send_chunk(upload_id, chunk).chunks_received

    def finish_box(self, upload_id, n):
        self.send_all(upload_id, box_lp(n))
        job_id = self.completed(self.finish(upload_id))
        self.assertAlmostEqual(self.client.result(job_id).objective, n, places=6)

    def test_F1_a_negative_offset_is_refused(self):
        upload_id = self.upload()
        self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", -1, 2, bytes(8), text="non-negative")
        self.finish_tiny(upload_id)

    def test_F2_a_negative_total_is_refused(self):
        upload_id = self.upload()
        self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", 0, -1, bytes(8), text="non-negative")
        self.finish_tiny(upload_id)

    def test_F3_an_absurd_total_is_refused(self):
        upload_id = self.upload()
        for total in (2**60, 2**62, 2**63 - 1):
            self.assertCode(Code.RESOURCE_EXHAUSTED, self.send, upload_id, "c", 0, total, bytes(8), text="too large")
        self.finish_tiny(upload_id)

    def test_F4_an_unknown_array_is_refused(self):
        upload_id = self.upload()
        for field_id in (999, 18, -1):
            text = f"Unknown array field_id: {field_id}"
            self.assertCode(Code.INVALID_ARGUMENT, self.send_id, upload_id, field_id, 0, 1, bytes(8), text=text)
        self.finish_tiny(upload_id)

    def test_F5_data_that_is_not_whole_elements_is_refused(self):
        upload_id = self.upload()
        self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", 0, 2, bytes(7), text="aligned")
        self.finish_tiny(upload_id)

    def test_F6_an_offset_past_the_end_is_refused(self):
        upload_id = self.upload(box_lp(10))
        self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", 100, 10, bytes(8), text="exceeds")
        self.finish_box(upload_id, 10)

    def test_F7_a_chunk_that_runs_over_the_end_is_refused(self):
        upload_id = self.upload(box_lp(4))
        self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", 3, 4, bytes(16), text="out of bounds")
        self.finish_box(upload_id, 4)

    def test_F8_an_unknown_upload_is_not_found(self):
        self.assertCode(Code.NOT_FOUND, self.send_array, UNKNOWN_ID, "c", np.array([1.0, 1.0]))

    def test_F9_a_valid_chunk_is_counted(self):
        upload_id = self.upload()
        self.assertEqual(self.send_array(upload_id, "c", tiny_lp().arrays["c"]), 1)
        self.finish_tiny(upload_id)

    @on("expiry")
    def test_F10_an_array_may_have_four_gibibytes_and_no_more(self):
        upload_id = self.upload()
        self.assertEqual(self.send(upload_id, "A_values", 0, 2**29, bytes(8)), 1)
        too_large = 2**29 + 1
        self.assertCode(
            Code.RESOURCE_EXHAUSTED, self.send, upload_id, "c", 0, too_large, bytes(8), text="too large"
        )
        self.assertEqual(self.send(upload_id, "row_names", 0, 2**32, b"a"), 2)
        self.assertCode(
            Code.RESOURCE_EXHAUSTED, self.send, upload_id, "row_types", 0, 2**32 + 1, b"E", text="too large"
        )
        self.assertEqual(self.send_array(upload_id, "c", tiny_lp().arrays["c"]), 3)

    def test_F11_data_beyond_a_total_of_zero_is_refused(self):
        upload_id = self.upload()
        self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", 0, 0, bytes(8))
        self.finish_tiny(upload_id)

    def test_F12_an_empty_chunk_is_accepted(self):
        upload_id = self.upload()
        self.assertEqual(self.send(upload_id, "b", 0, 0, b""), 1)
        self.assertEqual(self.send(upload_id, "c", 2, 2, b""), 2)
        request = self.client.wire.SendArrayChunkRequest(upload_id=upload_id)  # no chunk at all: array 0, empty
        self.assertEqual(self.rpc.SendArrayChunk(request, timeout=60).chunks_received, 3)
        self.finish_tiny(upload_id)

    def test_F13_the_upload_is_looked_up_first_and_the_array_second(self):
        upload_id = self.upload()
        text = "Unknown array field_id: 999"
        self.assertCode(Code.INVALID_ARGUMENT, self.send_id, upload_id, 999, -1, -1, bytes(7), text=text)
        self.assertCode(Code.NOT_FOUND, self.send_id, UNKNOWN_ID, 999, -1, -1, bytes(7))
        self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", -1, 2**60, bytes(7), text="non-negative")
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.send, upload_id, "c", 0, 2**60, bytes(7), text="too large")
        self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", 100, 2, bytes(7), text="aligned")
        self.finish_tiny(upload_id)

    def test_F14_many_bad_chunks_leave_no_trace(self):
        upload_id = self.upload()
        for k in range(100):
            bad = [(-1, 2, bytes(8)), (0, -1, bytes(8)), (0, 2, bytes(7)), (3, 2, b""), (1, 2, bytes(16))][k % 5]
            self.assertCode(Code.INVALID_ARGUMENT, self.send, upload_id, "c", *bad)
        self.assertEqual(self.send_array(upload_id, "c", tiny_lp().arrays["c"]), 1)
        self.finish_tiny(upload_id)
        self.finish_tiny(self.upload())
