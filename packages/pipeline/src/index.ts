// The public face of @sortie/pipeline.
export {};
