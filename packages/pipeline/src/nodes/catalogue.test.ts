// Rules that hold for every class of the catalogue.
import { describe, expect, it } from "vitest";
import { catalogue } from "./catalogue.ts";

const types = [...catalogue.values()];

describe("every node class", () => {
  it("has a name of its own, a summary, and ports of different names", () => {
    expect(catalogue.size).toBe(types.length);
    for (const { className, summary, inputs, outputs } of types) {
      expect(className).toMatch(/^(cuvis_ai|tests\.fixtures\.mock_nodes)\./);
      expect(summary.length).toBeGreaterThan(5);
      for (const ports of [inputs, outputs]) expect(new Set(ports.map(({ name }) => name)).size).toBe(ports.length);
    }
  });

  it("is in the catalogue if clients know it", () => {
    const short = new Set(types.map(({ className }) => className.split(".").at(-1)));
    const known = `LentilsAnomalyDataNode CU3SDataNode MinMaxNormalizer RXGlobal RXPerBatch ScoreToLogit BinaryDecider
      QuantileBinaryDecider TwoStageBinaryDecider AnomalyDetectionMetrics TensorBoardMonitorNode AnomalyMask SoftChannelSelector
      AnomalyBCEWithLogits SelectorEntropyRegularizer SelectorDiversityRegularizer CubeRGBVisualizer BandpassByWavelength
      PerPixelUnitNorm ZScoreNormalizerGlobal DeepSVDDProjection DeepSVDDCenterTracker DeepSVDDScores
      DeepSVDDSoftBoundaryLoss ScoreHeatmapVisualizer FixedWavelengthSelector CIRSelector CIETristimulusFalseRGBSelector
      HighContrastSelector SupervisedCIRSelector SupervisedWindowedSelector SupervisedFullSpectrumSelector RGBAnomalyMask
      PipelineComparisonVisualizer IoULoss DistinctnessLoss LearnableChannelMixer ConcreteChannelMixer VideoFrameNode
      TrackingOverlayNode ToVideoNode CocoTrackMaskWriter IdentityNormalizer SigmoidNormalizer ZScoreNormalizer
      SigmoidTransform LADGlobal DecisionToMask BinaryAnomalyLabelMapper PCA TrainablePCA SpectralAngleMapper TopKIndices
      RangeAverageFalseRGBSelector FastRGBSelector CameraEmulationFalseRGBSelector NDVISelector ScalarHSVColormapNode
      SpatialRotateNode BBoxRoiCropNode ChannelNormalizeNode OrthogonalityLoss MSEReconstructionLoss ForegroundContrastLoss
      ExplainedVarianceMetric ScoreStatisticsMetric ComponentOrthogonalityMetric SelectorEntropyMetric
      SelectorDiversityMetric AnomalyPixelStatisticsMetric MaskOverlayNode ChannelSelectorFalseRGBViz ChannelWeightsViz
      PCAVisualization BBoxesOverlayNode TrackingPointerOverlayNode BBoxSpectralExtractor SpectralSignatureExtractor
      NpyReader NumpyFeatureWriterNode CocoTrackBBoxWriter DetectionCocoJsonNode DetectionJsonReader TrackingResultsReader
      TextPrompt BBoxPrompt MaskPrompt PoissonOcclusionNode SolidOcclusionNode PoissonCubeOcclusionNode SimpleLossNode
      MockMetricNode`.split(/\s+/);
    expect(known.filter((name) => !short.has(name))).toEqual([]);
  });

  it("has stages as its kind does", () => {
    for (const type of types) {
      if (type.role === "loss" || type.role === "regularizer") expect(type.stages).toEqual(["train", "val", "test"]);
      if (type.role === "metric") expect(type.stages).toEqual(["val", "test"]);
    }
  });

  it("can be fitted if it may need to be", () => {
    for (const type of types) if (type.needsFit) expect(type.fit).toBeDefined();
  });
});
