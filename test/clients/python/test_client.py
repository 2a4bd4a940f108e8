"""Rules of the client itself, without a server: byte strings, budgets, the MPS reader.

    python3 test_client.py
"""

import unittest

from client import Client, elements_per_chunk, estimated_bytes
from instances import instance, long_mip, sudoku, tiny_lp
from model import problem
from wire import Wire

LP_DEFAULTS = (
    "092d431cebe2361a3f112d431cebe2361a3f19bbbdd7d9df7cdb3d21bbbdd7d9df7cdb3d292d431cebe2361a3f312d431cebe2361a3f392d"
    "431cebe2361a3f412d431cebe2361a3f49000000000000f07f50ffffffffffffffffff01580170048001ffffffffffffffffff0188010198"
    "0101b001ffffffffffffffffff01b801ffffffffffffffffff01c001ffffffffffffffffff01c801ffffffffffffffffff01d001ffffffff"
    "ffffffffff01d80101f001ffffffffffffffffff01"
)
MIP_DEFAULTS = (
    "09000000000000f07f112d431cebe2361a3f19bbbdd7d9df7cdb3d21f168e388b5f8e43e298dedb5a0f7c6b03e3111ea2d819997713d398d"
    "edb5a0f7c6b03e400150ffffffffffffffffff01580160ffffffffffffffffff01680271000000000000f07f78ffffffffffffffffff0180"
    "01ffffffffffffffffff0190010a9801ffffffffffffffffff01a001ffffffffffffffffff01a801ffffffffffffffffff01b001ffffffff"
    "ffffffffff01b801ffffffffffffffffff01c001ffffffffffffffffff01c901000000000000f0bfd101000000000000e03fe001ffffffff"
    "ffffffffff01"
)


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.wire = Wire.load("26.04")
        self.client = Client("localhost:1", self.wire)
        self.addCleanup(self.client.close)

    def test_default_settings_have_the_bytes_of_a_stock_client(self):
        self.assertEqual(self.client.settings("lp").SerializeToString(deterministic=True).hex(), LP_DEFAULTS)
        self.assertEqual(self.client.settings("mip").SerializeToString(deterministic=True).hex(), MIP_DEFAULTS)

    def test_later_settings_carry_presence(self):
        with Client("localhost:1", Wire.load("next")) as client:
            settings = client.settings("mip", {"time_limit": 0.0, "probing": False})
            self.assertTrue(settings.HasField("time_limit") and settings.HasField("probing"))
            self.assertFalse(settings.HasField("zero_half_cuts"))

    def test_chunks_have_the_known_bytes(self):
        def request(name, offset, total, data):
            chunk = self.client.chunk(name, offset, total, data)
            return self.wire.SendArrayChunkRequest(upload_id="u", chunk=chunk).SerializeToString().hex()

        offsets, element_bytes = self.client.array_bytes("A_offsets", [0, 2, 4])
        self.assertEqual(element_bytes, 4)
        self.assertEqual(request("A_offsets", 0, 3, offsets), "0a0175121208041803220c000000000200000004000000")
        names, element_bytes = self.client.array_bytes("variable_names", ["x", "y"])
        self.assertEqual(element_bytes, 1)
        self.assertEqual(request("variable_names", 0, 4, names), "0a017512081804220478007900")

    def test_a_chunk_takes_at_most_nine_tenths_of_the_servers_message(self):
        self.assertEqual(elements_per_chunk(16 << 20, 4096, 8), 460)
        self.assertEqual(elements_per_chunk(16 << 20, 4096, 1), 3686)
        self.assertEqual(elements_per_chunk(16 << 20, 256 << 20, 8), 2 << 20)
        self.assertEqual(elements_per_chunk(4, 0, 8), 1)

    def test_chunks_cover_every_array_once_in_the_stock_order(self):
        self.client.chunk_bytes = 64
        model = sudoku()
        received = {}
        for chunk in self.client.chunks(model, 0):
            held = received.setdefault(chunk.field_id, bytearray())
            element_bytes = 4 if chunk.field_id in (3, 4, 12) else 8
            self.assertEqual(len(held), chunk.element_offset * element_bytes)
            held += chunk.data
        self.assertEqual(list(received), [2, 3, 4, 5, 7, 8, 9, 10, 12])
        self.assertEqual(bytes(received[2]), model.arrays["A_values"].tobytes())

    def test_an_empty_model_is_estimated_at_512_bytes(self):
        self.assertEqual(estimated_bytes(problem([]).with_arrays(A_offsets=[])), 512)
        self.assertGreater(estimated_bytes(tiny_lp()), 512)

    def test_the_mps_reader_reads_the_instances(self):
        for name, rows, columns, nonzeros in (("afiro", 27, 32, 83), ("flugpl", 18, 18, 46)):
            with self.subTest(name):
                model = instance(name)
                sizes = (model.rows, model.variables, len(model.arrays["A_values"]))
                self.assertEqual(sizes, (rows, columns, nonzeros))

    def test_generated_models_are_the_same_every_time(self):
        self.assertEqual(long_mip().arrays["c"].tobytes(), long_mip().arrays["c"].tobytes())


if __name__ == "__main__":
    unittest.main()
