// The messages of the pipeline service, under one name: some are called like those of the solve service.
export * from "./gen/cuvis_ai/v1/config_pb.js";
export * from "./gen/cuvis_ai/v1/data_pb.js";
export * from "./gen/cuvis_ai/v1/legacy_pb.js";
export * from "./gen/cuvis_ai/v1/plugins_pb.js";
export * from "./gen/cuvis_ai/v1/service_pb.js";
export * from "./gen/cuvis_ai/v1/training_pb.js";
