"""Group H: logs."""

import threading

from case import PATIENCE_SECONDS, Case, Code, JobStatus, on
from instances import afiro, flugpl, long_mip, tiny_lp, tiny_mip


class GroupH(Case):
    def streaming(self, job_id, from_byte=0):
        """Follows the log in a thread: (stream, list of messages that grows, thread)."""
        stream = self.client.log_stream(job_id, from_byte, timeout=PATIENCE_SECONDS)
        messages = []

        def read():
            try:
                for message in stream:
                    messages.append(message)
            except Exception:
                pass  # the test cancels the stream; what it needs is in the list

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self.addCleanup(stream.cancel)
        return stream, messages, thread

    def lines(self, messages):
        return [message.line for message in messages if not message.job_complete]

    def test_H1_lines_arrive_while_the_job_runs(self):
        job_id = self.submit_running()
        _, messages, thread = self.streaming(job_id)
        self.until(lambda: len(messages) >= 3, "three lines of a running job")
        self.assertEqual(self.state(job_id), JobStatus.PROCESSING)
        self.assertFalse(any(message.job_complete for message in messages))
        self.client.cancel(job_id)
        thread.join(PATIENCE_SECONDS)
        self.assertTrue(messages[-1].job_complete)
        self.assertEqual(sum(message.job_complete for message in messages), 1)

    def test_H2_a_callback_sees_the_solvers_lines(self):
        seen = []
        solution = self.client.solve(tiny_mip(2.0), on_log=seen.append, timeout=PATIENCE_SECONDS)
        self.assertAlmostEqual(solution.objective, 2.0, places=6)
        self.assertTrue(seen)
        self.assertNotIn("", seen)
        self.assertIn("Solution objective:", "\n".join(seen))

    def test_H4_a_callback_may_stop_the_log(self):
        job_id = self.completed(self.submit(flugpl()))
        seen = []
        self.client.follow_log(job_id, lambda line: seen.append(line) or False)
        self.assertEqual(len(seen), 1)

    def test_H6_the_log_can_be_read_again_after_the_end(self):
        job_id = self.completed(self.submit(afiro()))
        first, second = self.log(job_id), self.log(job_id)
        self.assertGreater(len(first), 1)
        self.assertEqual(first, second)
        self.assertEqual((first[-1].line, first[-1].job_complete), ("", True))
        self.assertIn("Status: Optimal", "\n".join(self.lines(first)))

    def test_H7_a_log_resumes_after_any_line(self):
        job_id = self.completed(self.submit(flugpl()))
        messages = self.log(job_id)
        for k in range(0, len(messages), max(len(messages) // 6, 1)):
            self.assertEqual(self.log(job_id, messages[k].byte_offset), messages[k + 1 :] or messages[-1:])
        self.assertEqual(self.log(job_id, -7), messages)

    def test_H8_no_line_is_lost_at_the_end(self):
        for _ in range(8):
            job_id = self.submit(tiny_lp())
            live = self.log(job_id)
            self.assertEqual(self.wait(job_id), JobStatus.COMPLETED)
            replay = self.log(job_id)
            self.assertEqual(self.lines(live), self.lines(replay))
            self.assertIn("Status: Optimal", "\n".join(self.lines(live)))
            self.assertEqual(live[-1].byte_offset, replay[-1].byte_offset)
            self.assertEqual(replay[-1].byte_offset, replay[-2].byte_offset)
            self.assertEqual(len(self.log(job_id, replay[-1].byte_offset)), 1)

    def test_H9_the_log_of_a_cancelled_job_stays_readable(self):
        job_id = self.submit_running()
        _, live, thread = self.streaming(job_id)
        self.until(lambda: len(live) >= 3, "three lines of a running job")
        self.client.cancel(job_id)
        thread.join(PATIENCE_SECONDS)
        self.until(lambda: self.log(job_id) == self.log(job_id), "the log has settled")
        replay = self.log(job_id)
        self.assertEqual(self.lines(replay)[: len(live) - 1], self.lines(live))
        self.assertGreaterEqual(len(self.lines(replay)), 3)
        final = replay[-1]
        self.assertEqual((final.line, final.byte_offset), ("", replay[-2].byte_offset))
        self.assertEqual(self.log(job_id, final.byte_offset), [final])

    @on("narrow")
    def test_H10_the_log_of_a_queued_job_waits_for_it(self):
        running = self.submit_running()
        queued = self.submit(tiny_lp())
        _, messages, thread = self.streaming(queued)
        for _ in range(3):
            self.client.status(queued)
        self.assertEqual(self.state(queued), JobStatus.QUEUED)
        self.assertEqual(messages, [])
        self.client.cancel(running)
        thread.join(PATIENCE_SECONDS)
        self.assertTrue(messages[-1].job_complete)
        self.assertIn("Status: Optimal", "\n".join(self.lines(messages)))

    def test_H11_a_reader_that_leaves_does_not_touch_the_job(self):
        job_id = self.submit_running()
        stream, messages, thread = self.streaming(job_id)
        self.until(lambda: messages, "a first line")
        stream.cancel()
        thread.join(PATIENCE_SECONDS)
        self.assertFalse(thread.is_alive())
        self.assertEqual(stream.code(), Code.CANCELLED)
        self.assertEqual(self.state(job_id), JobStatus.PROCESSING)
        _, again, _ = self.streaming(job_id)
        self.until(lambda: len(again) >= len(messages), "the log again from its start")

    def test_H12_live_and_replayed_logs_are_equal(self):
        job_id = self.submit(long_mip(), {"time_limit": 2.0})
        live = self.log(job_id)
        self.completed(job_id)
        replay = self.log(job_id)
        self.assertEqual(self.lines(live), self.lines(replay))
        self.assertEqual(live[-1].byte_offset, replay[-1].byte_offset)

    def test_H13_offsets_count_bytes(self):
        names = ["größe_ж_数", "y"]
        model = tiny_lp(problem_name="Zuschnitt größter Rollen 数").with_arrays(variable_names=names)
        messages = self.log(self.completed(self.submit(model)))
        position = 0
        for message in messages[:-1]:
            position += len(message.line.encode("utf-8")) + 1
            self.assertEqual(message.byte_offset, position, message.line)
        self.assertEqual(messages[-1].byte_offset, position)
