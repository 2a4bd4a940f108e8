"""Group D: states, cancel, delete."""

import time

import grpc

from case import PATIENCE_SECONDS, Case, Code, JobStatus, ResponseStatus, code_of, on
from instances import FLUGPL_OBJECTIVE, afiro, crossed_bounds_lp, failing_mip, flugpl, tiny_lp, tiny_mip


class GroupD(Case):
    def assertNowCancelled(self, job_id):
        answer = self.client.cancel(job_id)
        self.assertEqual(answer.status, ResponseStatus.SUCCESS)
        self.assertEqual(answer.job_status, JobStatus.CANCELLED)
        self.assertEqual(answer.message, "Job cancelled successfully")
        status = self.client.status(job_id)
        self.assertEqual(status.job_status, JobStatus.CANCELLED)
        self.assertEqual(status.message, "Job was cancelled")

    def waiting(self, job_id):
        """A WaitForCompletion that is under way."""
        return self.rpc.WaitForCompletion.future(self.client.wire.WaitRequest(job_id=job_id), timeout=PATIENCE_SECONDS)

    def failed(self):
        """A job that has FAILED."""
        job_id = self.submit(failing_mip())
        self.assertEqual(self.wait(job_id), JobStatus.FAILED)
        return job_id

    def test_D1_a_running_job_is_cancelled_and_its_waiter_released(self):
        job_id = self.submit_running()
        waiter = self.waiting(job_id)
        self.assertNowCancelled(job_id)
        answer = waiter.result()
        self.assertEqual(answer.job_status, JobStatus.CANCELLED)
        self.assertEqual(answer.message, "Job was cancelled")
        self.assertEqual(answer.result_size_bytes, 0)

    def test_D2_the_server_solves_on_after_a_cancel(self):
        for _ in range(2):
            self.assertNowCancelled(self.submit_running())
            self.completed_lp()

    @on("narrow")
    def test_D3_a_queued_job_that_is_cancelled_never_runs(self):
        running = self.submit_running()
        queued = self.submit(tiny_mip(), incumbents=True)
        self.assertEqual(self.state(queued), JobStatus.QUEUED)
        self.assertEqual(self.client.status(queued).message, "Job is queued")
        self.assertNowCancelled(queued)
        self.client.cancel(running)
        self.completed_lp()  # a job submitted later has run
        self.assertEqual(self.state(queued), JobStatus.CANCELLED)
        self.assertEqual(len(self.client.incumbents(queued).incumbents), 0)

    def test_D4_a_second_cancel_says_already_cancelled(self):
        job_id = self.submit_long()
        self.assertNowCancelled(job_id)
        answer = self.client.cancel(job_id)
        self.assertEqual(answer.status, ResponseStatus.SUCCESS)
        self.assertEqual(answer.job_status, JobStatus.CANCELLED)
        self.assertEqual(answer.message, "Job already cancelled")

    def test_D5_a_completed_job_cannot_be_cancelled(self):
        job_id = self.completed_lp()
        answer = self.client.cancel(job_id)
        self.assertEqual(answer.status, ResponseStatus.ERROR_INVALID_REQUEST)
        self.assertEqual(answer.job_status, JobStatus.COMPLETED)
        self.assertEqual(answer.message, "Cannot cancel completed job")
        self.assertFalse(self.client.cancelled(job_id))
        self.assertAlmostEqual(self.client.result(job_id).objective, 2.8, places=6)

    def test_D6_a_failed_job_cannot_be_cancelled(self):
        answer = self.client.cancel(self.failed())
        self.assertEqual(answer.status, ResponseStatus.ERROR_INVALID_REQUEST)
        self.assertEqual(answer.job_status, JobStatus.FAILED)
        self.assertEqual(answer.message, "Cannot cancel failed job")

    def test_D7_a_cancelled_job_has_no_result(self):
        job_id = self.submit_long()
        self.assertNowCancelled(job_id)
        self.assertCode(Code.UNAVAILABLE, self.client.get_result, job_id, text="Result not ready")
        self.assertCode(Code.FAILED_PRECONDITION, self.client.start_download, job_id)

    def test_D8_a_deleted_job_is_unknown_everywhere(self):
        job_id = self.completed(self.submit(tiny_mip(), incumbents=True))
        self.assertEqual(self.client.delete(job_id).status, ResponseStatus.SUCCESS)
        self.assertEqual(self.state(job_id), JobStatus.NOT_FOUND)
        self.assertCode(Code.NOT_FOUND, self.client.get_result, job_id)
        self.assertCode(Code.NOT_FOUND, self.client.start_download, job_id)
        self.assertCode(Code.NOT_FOUND, lambda: list(self.client.log_stream(job_id, timeout=10)))
        self.assertCode(Code.NOT_FOUND, self.client.incumbents, job_id)
        self.assertEqual(self.client.wait(job_id, timeout=10).job_status, JobStatus.NOT_FOUND)
        self.assertEqual(self.client.delete(job_id).status, ResponseStatus.ERROR_NOT_FOUND)

    def test_D9_a_running_job_that_is_deleted_leaves_nothing(self):
        job_id = self.submit_running(incumbents=True)
        waiter = self.waiting(job_id)
        self.assertEqual(self.client.delete(job_id).status, ResponseStatus.SUCCESS)
        self.assertEqual(self.state(job_id), JobStatus.NOT_FOUND)
        # Deletion wakes those who wait.
        self.assertEqual(waiter.result().job_status, JobStatus.NOT_FOUND)
        for _ in range(3):
            self.completed_lp()
            self.assertEqual(self.state(job_id), JobStatus.NOT_FOUND)
        self.assertCode(Code.NOT_FOUND, self.client.get_result, job_id)
        self.assertCode(Code.NOT_FOUND, self.client.incumbents, job_id)

    def test_D10_a_failed_job_gives_its_reason(self):
        job_id = self.submit(failing_mip())
        waited = self.client.wait(job_id, timeout=PATIENCE_SECONDS)
        self.assertEqual(waited.job_status, JobStatus.FAILED)
        status = self.client.status(job_id)
        self.assertEqual(status.job_status, JobStatus.FAILED)
        self.assertTrue(status.message.startswith("Job failed: "), status.message)
        reason = status.message.removeprefix("Job failed: ")
        self.assertTrue(reason)
        self.assertTrue(waited.message.endswith(reason), waited.message)
        result = self.client.get_result(job_id)
        self.assertEqual(result.status, ResponseStatus.ERROR_SOLVE_FAILED)
        self.assertEqual(result.error_message, reason)
        self.assertIsNone(result.WhichOneof("solution"))
        self.assertCode(Code.FAILED_PRECONDITION, self.client.start_download, job_id)
        self.assertEqual(self.client.wait(job_id, timeout=10).message, reason)

    @on("narrow")
    def test_D11_a_full_queue_refuses_until_a_job_ends(self):
        jobs = [self.submit_long() for _ in range(3)]
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.client.submit_unary, tiny_lp(), text="Job queue full")
        self.assertNowCancelled(jobs[1])
        accepted = self.submit(tiny_lp())
        self.assertCode(Code.RESOURCE_EXHAUSTED, self.client.submit_unary, tiny_lp(), text="Job queue full")
        self.client.cancel(jobs[0])
        self.client.cancel(jobs[2])
        self.completed(accepted)

    def test_D12_all_waiters_hear_the_same(self):
        job_id = self.submit_running()
        waiters = [self.waiting(job_id) for _ in range(5)]
        self.client.cancel(job_id)
        self.assertEqual([waiter.result().job_status for waiter in waiters], [JobStatus.CANCELLED] * 5)
        quick = self.submit(afiro())
        waiters = [self.waiting(quick) for _ in range(5)]
        answers = {(w.result().job_status, w.result().result_size_bytes) for w in waiters}
        self.assertEqual(answers, {(JobStatus.COMPLETED, 8 * (32 + 27 + 32))})

    def test_D13_a_waiter_that_leaves_does_not_touch_the_job(self):
        job_id = self.submit_running()
        waiter, other = self.waiting(job_id), self.waiting(job_id)
        waiter.cancel()
        self.assertRaises(grpc.FutureCancelledError, waiter.result)
        self.assertEqual(waiter.code(), Code.CANCELLED)
        self.assertEqual(self.state(job_id), JobStatus.PROCESSING)
        self.assertFalse(other.done())
        self.client.cancel(job_id)
        self.assertEqual(other.result().job_status, JobStatus.CANCELLED)

    def test_D14_a_late_waiter_is_answered_at_once(self):
        job_id = self.completed_lp()
        answer = self.client.wait(job_id, timeout=10)
        self.assertEqual(answer.job_status, JobStatus.COMPLETED)
        self.assertEqual(answer.result_size_bytes, self.client.status(job_id).result_size_bytes)

    def test_D15_cancel_is_final_however_it_races_the_end(self):
        # A whole run first, to know about when a job ends; then cancels that fall before, at and after that.
        started = time.monotonic()
        self.solved(flugpl())
        span_seconds = 1.5 * (time.monotonic() - started)
        rounds = 12
        for k in range(rounds):
            job_id = self.submit(flugpl())
            time.sleep(span_seconds * k / rounds)
            answer = self.client.cancel(job_id)
            if answer.status == ResponseStatus.SUCCESS:
                self.assertEqual(answer.job_status, JobStatus.CANCELLED)
                self.assertEqual(self.wait(job_id), JobStatus.CANCELLED)
                self.completed_lp()  # whatever the worker still did is done
                self.assertEqual(self.state(job_id), JobStatus.CANCELLED)
                self.assertEqual(code_of(self.client.get_result, job_id), Code.UNAVAILABLE)
            else:
                self.assertEqual(answer.status, ResponseStatus.ERROR_INVALID_REQUEST)
                self.assertEqual(answer.job_status, JobStatus.COMPLETED)
                self.assertAlmostEqual(self.client.result(job_id).objective / FLUGPL_OBJECTIVE, 1, places=4)

    def test_D16_the_size_is_eight_bytes_per_number(self):
        for model in (afiro(), tiny_mip(), flugpl(), crossed_bounds_lp()):
            job_id = self.completed(self.submit(model))
            status = self.client.status(job_id)
            self.assertEqual(status.message, "Job completed")
            arrays = self.client.result(job_id).arrays
            self.assertEqual(status.result_size_bytes, 8 * sum(map(len, arrays.values())))
        job_id = self.submit_running()
        status = self.client.status(job_id)
        self.assertEqual((status.message, status.result_size_bytes), ("Job is being processed", 0))
        self.client.cancel(job_id)
        self.assertEqual(self.client.status(job_id).result_size_bytes, 0)
        self.assertEqual(self.client.status(self.failed()).result_size_bytes, 0)
