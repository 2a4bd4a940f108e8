"""The five phases of the pipeline service as a Python client goes through them, on a scene of its own server:

    python3 cuvis_run.py [--scene hydice-urban]

create (a session), configure (a pipeline and where its data are), execute (statistical training, then inference), persist
(pipeline, weights and train run as files), close; then a second session is restored from the files and must answer the same.
Prints the area under the ROC curve of the detector's scores and compares it with the reference that comes with the scenes.
Scenes are read from $SORTIE_TEST_DATA/hsi or the project's shared data; where there are none, a scene is made up.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import grpc
import numpy as np

from cuvis_wire import CuvisWire
from run import ROOT, Server

CALL_SECONDS = 120
# What the original's own float32 arithmetic differs by, three times over.
AUC_TOLERANCE = 3 * 5.03e-05
LIMITS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def load_scene(name):
    """(cube [lines, samples, bands], mask [lines, samples], reference AUC)."""
    folders = [ROOT.parent / "shared" / "data" / "hsi"]
    if os.environ.get("SORTIE_TEST_DATA"):
        folders.insert(0, Path(os.environ["SORTIE_TEST_DATA"]) / "hsi")
    for folder in folders:
        if not (folder / f"{name}.npy").exists():
            continue
        reference = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        auc = reference["scenes"][name]["rx_global_raw"]["auc"]
        return np.load(folder / f"{name}.npy"), np.load(folder / f"{name}_mask.npy"), auc
    print(f"there is no scene {name} here: one is made up")
    random = np.random.default_rng(7)
    cube = random.integers(100, 1000, size=(40, 50, 12)).astype(np.uint16)
    mask = np.zeros((40, 50), dtype=np.uint8)
    mask[7, 9] = mask[30, 41] = 1
    cube[mask > 0] += (5000 * (np.arange(12) % 2)).astype(np.uint16)
    return cube, mask, 1.0


def area_under_curve(scores, labels):
    """Of the ROC curve, by the rank-sum statistic; equal scores share their mean rank."""
    values, inverse, counts = np.unique(scores.ravel(), return_inverse=True, return_counts=True)
    del values
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse.ravel()]
    positive = labels.ravel() > 0
    wins = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return wins / (positive.sum() * (~positive).sum())


def pipeline_of(bands):
    """Anomalies by Mahalanobis distance."""
    return {
        "nodes": [
            {"name": "data", "class_name": "cuvis_ai.node.data.CU3SDataNode", "hparams": {}},
            {
                "name": "rx",
                "class_name": "cuvis_ai.anomaly.rx_detector.RXGlobal",
                "hparams": {"num_channels": bands},
            },
            {"name": "logit", "class_name": "cuvis_ai.node.conversion.ScoreToLogit", "hparams": {}},
        ],
        "connections": [
            {"source": "data.outputs.cube", "target": "rx.inputs.data"},
            {"source": "rx.outputs.scores", "target": "logit.inputs.scores"},
        ],
        "metadata": {"name": "RX"},
    }


class Workflow:
    """The phases, one method each."""

    def __init__(self, wire, channel, folder, scene):
        self.wire = wire
        self.rpc = wire.stubs(channel)
        self.folder = folder
        self.cube, self.mask, self.reference = scene
        self.bands = self.cube.shape[2]
        self.session = ""

    def call(self, method, request, **fields):
        """One unary call."""
        return getattr(self.rpc, method)(getattr(self.wire, request)(**fields), timeout=CALL_SECONDS)

    def create(self):
        self.session = self.call("CreateSession", "CreateSessionRequest").session_id

    def configure(self):
        config = self.wire.PipelineConfig(config_bytes=json.dumps(pipeline_of(self.bands)).encode())
        assert self.call("LoadPipeline", "LoadPipelineRequest", session_id=self.session, pipeline=config).success
        np.save(self.folder / "cube.npy", self.cube)
        train_run = {
            "name": "rx",
            "data": {
                "data_module": "files",
                "batch_size": 1,
                "params": {
                    "cubes": [str(self.folder / "cube.npy")],
                    "wavelengths_nm": [float(band) for band in range(self.bands)],
                },
            },
        }
        config = self.wire.TrainRunConfig(config_bytes=json.dumps(train_run).encode())
        assert self.call("SetTrainRunConfig", "SetTrainRunConfigRequest", session_id=self.session, config=config).success
        inputs = self.call("GetPipelineInputs", "GetPipelineInputsRequest", session_id=self.session)
        assert {"cube", "wavelengths"} <= set(inputs.input_names), inputs.input_names

    def execute(self):
        """Trains, then infers. Gives the scores."""
        status = self.wire.TrainStatus
        request = self.wire.TrainRequest(
            session_id=self.session, trainer_type=self.wire.TrainerType.TRAINER_TYPE_STATISTICAL
        )
        told = [progress.status for progress in self.rpc.Train(request, timeout=CALL_SECONDS)]
        assert told[0] == status.TRAIN_STATUS_RUNNING and told[-1] == status.TRAIN_STATUS_COMPLETE, told
        latest = self.call("GetTrainStatus", "GetTrainStatusRequest", session_id=self.session).latest_progress
        assert latest.status == status.TRAIN_STATUS_COMPLETE, latest
        return self.infer()

    def infer(self):
        wavelengths = np.arange(self.bands, dtype=np.int32)[np.newaxis]
        batch = self.wire.InputBatch(
            cube=self.wire.tensor(self.cube[np.newaxis]), wavelengths=self.wire.tensor(wavelengths)
        )
        answer = self.call(
            "Inference", "InferenceRequest", session_id=self.session, inputs=batch, output_specs=["rx.scores"]
        )
        assert list(answer.outputs) == ["rx.scores"], list(answer.outputs)
        scores = self.wire.array(answer.outputs["rx.scores"])
        assert scores.shape == (1, *self.cube.shape[:2], 1), scores.shape
        return scores[0, :, :, 0]

    def persist(self):
        """Gives the paths of train run and weights."""
        path = str(self.folder / "saved" / "rx.yaml")
        saved = self.call("SavePipeline", "SavePipelineRequest", session_id=self.session, pipeline_path=path)
        assert saved.success and Path(saved.pipeline_path).exists() and Path(saved.weights_path).exists()
        path = str(self.folder / "saved" / "run.yaml")
        run = self.call(
            "SaveTrainRun", "SaveTrainRunRequest", session_id=self.session, trainrun_path=path, save_weights=True
        )
        assert run.success and Path(run.trainrun_path).exists()
        return run.trainrun_path, run.weights_path

    def close(self):
        self.call("CloseSession", "CloseSessionRequest", session_id=self.session)
        try:
            self.call("GetTrainStatus", "GetTrainStatusRequest", session_id=self.session)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
        else:
            raise AssertionError("a closed session still answers")

    def restore(self, run, weights):
        restored = self.call("RestoreTrainRun", "RestoreTrainRunRequest", trainrun_path=run, weights_path=weights)
        self.session = restored.session_id


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", default="hydice-urban", help="name of a scene with a .npy file and a mask")
    options = parser.parse_args()
    scene = load_scene(options.scene)
    folder = Path(tempfile.mkdtemp(prefix="sortie-cuvis-"))
    server = Server(["--pipeline-roots", str(folder)])
    try:
        with server as address, grpc.insecure_channel(address, options=LIMITS) as channel:
            work = Workflow(CuvisWire.load(), channel, folder, scene)
            work.create()
            print(f"create: session {work.session}")
            work.configure()
            print(f"configure: RX on {options.scene}, {' x '.join(map(str, work.cube.shape))}")
            scores = work.execute()
            auc = area_under_curve(scores, work.mask)
            print(f"execute: AUC {auc:.6f}, reference {work.reference:.6f}")
            assert abs(auc - work.reference) <= AUC_TOLERANCE, "the AUC is not that of the reference"
            run, weights = work.persist()
            print(f"persist: {Path(run).name}, {Path(weights).name}")
            work.close()
            print("close: done")
            work.restore(run, weights)
            assert np.array_equal(work.infer(), scores), "the restored session answers otherwise"
            work.close()
            print("restored from its files: the same scores")
        if server.exit_code != 0:
            print(f"the server ended with {server.exit_code} after SIGTERM\n{server.tail}")
            return 1
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
