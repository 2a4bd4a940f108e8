"""Group B: unknown ids."""

from case import UNKNOWN_ID, Case, Code, JobStatus, ResponseStatus


class GroupB(Case):
    def test_B1_status_of_an_unknown_job_is_an_answer(self):
        answer = self.client.status(UNKNOWN_ID)
        self.assertEqual(answer.job_status, JobStatus.NOT_FOUND)
        self.assertEqual(answer.message, "Job ID not found")
        self.assertEqual(answer.result_size_bytes, 0)
        self.assertGreater(answer.max_message_bytes, 0)
        self.assertTrue(self.client.probe())

    def test_B2_cancel_of_an_unknown_job_reports_not_found(self):
        answer = self.client.cancel(UNKNOWN_ID)
        self.assertEqual(answer.status, ResponseStatus.ERROR_NOT_FOUND)
        self.assertEqual(answer.job_status, JobStatus.NOT_FOUND)
        self.assertEqual(answer.message, "Job ID not found")
        self.assertFalse(self.client.cancelled(UNKNOWN_ID))

    def test_B3_delete_of_an_unknown_job_reports_not_found(self):
        self.assertEqual(self.client.delete(UNKNOWN_ID).status, ResponseStatus.ERROR_NOT_FOUND)
        deleted, text = self.client.deleted(UNKNOWN_ID)
        self.assertFalse(deleted)
        self.assertIn("not found", text.lower())
        self.assertIn(UNKNOWN_ID, text)

    def test_B4_result_of_an_unknown_job_is_not_found(self):
        self.assertCode(Code.NOT_FOUND, self.client.get_result, UNKNOWN_ID, text="Job not found")

    def test_B5_log_of_an_unknown_job_is_not_found_without_a_message(self):
        self.assertCode(Code.NOT_FOUND, lambda: list(self.client.log_stream(UNKNOWN_ID, timeout=10)))

    def test_B6_waiting_for_an_unknown_job_ends_at_once(self):
        answer = self.client.wait(UNKNOWN_ID, timeout=10)
        self.assertEqual(answer.job_status, JobStatus.NOT_FOUND)
        self.assertEqual(answer.message, "Job not found")
        self.assertEqual(answer.result_size_bytes, 0)

    def test_B7_incumbents_of_an_unknown_job_are_not_found(self):
        self.assertCode(Code.NOT_FOUND, self.client.incumbents, UNKNOWN_ID, text="Job not found")

    def test_B8_an_unknown_download_is_not_found(self):
        self.assertCode(Code.NOT_FOUND, self.client.start_download, UNKNOWN_ID)
        self.assertCode(Code.NOT_FOUND, self.client.result_chunk, UNKNOWN_ID, 0, 0, 1)
        self.assertCode(Code.NOT_FOUND, self.client.finish_download, UNKNOWN_ID)

    def test_B9_an_unknown_upload_is_not_found(self):
        chunk = self.client.chunk("c", 0, 1, bytes(8))
        self.assertCode(Code.NOT_FOUND, self.client.send_chunk, UNKNOWN_ID, chunk)
        self.assertCode(Code.NOT_FOUND, self.client.finish_upload, UNKNOWN_ID)

    def test_B10_a_submission_without_a_problem_is_refused(self):
        request = self.client.wire.SubmitJobRequest()
        self.assertCode(Code.INVALID_ARGUMENT, self.rpc.SubmitJob, request, text="No problem data provided")
