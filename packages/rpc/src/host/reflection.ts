// grpc.reflection, v1 and v1alpha: lets tools such as grpcurl find the services and their messages.
import { createRegistry, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { reflectionV1, reflectionV1alpha } from "@sortie/wire";

/** The services that a set of routes offers. */
export function describedServices(register: (router: ConnectRouter) => void): DescService[] {
  const router = createConnectRouter();
  register(router);
  return [...new Set(router.handlers.map((handler) => handler.service))];
}

type Request = reflectionV1.ServerReflectionRequest | reflectionV1alpha.ServerReflectionRequest;

/** Adds both versions of the reflection service; they list themselves too. */
export function reflectionRoutes(router: ConnectRouter, services: readonly DescService[]): void {
  const all = [...services, reflectionV1.ServerReflection, reflectionV1alpha.ServerReflection];
  const index = indexDescriptors(all);
  async function* answerAll(requests: AsyncIterable<Request>) {
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(index, request) };
    }
  }
  // The two versions differ in their package name only, so one set of answers serves both.
  router.service(reflectionV1.ServerReflection, {
    serverReflectionInfo: (requests) => answerAll(requests) as AsyncIterable<reflectionV1.ServerReflectionResponse>,
  });
  router.service(reflectionV1alpha.ServerReflection, {
    serverReflectionInfo: (requests) =>
      answerAll(requests) as AsyncIterable<reflectionV1alpha.ServerReflectionResponse>,
  });
}

interface DescriptorIndex {
  readonly serviceNames: readonly string[];
  readonly fileByName: ReadonlyMap<string, DescFile>;
  readonly fileBySymbol: (symbol: string) => DescFile | undefined;
  readonly extensionFile: (message: string, number: number) => DescFile | undefined;
  /** Undefined if there is no such message. */
  readonly extensionNumbers: (message: string) => number[] | undefined;
}

function indexDescriptors(services: readonly DescService[]): DescriptorIndex {
  const files = new Map<string, DescFile>();
  const add = (file: DescFile) => {
    if (files.has(file.proto.name)) return;
    files.set(file.proto.name, file);
    file.dependencies.forEach(add);
  };
  for (const service of services) add(service.file);
  const registry = createRegistry(...files.values());
  return {
    serviceNames: services.map((service) => service.typeName),
    fileByName: files,
    fileBySymbol(symbol) {
      const found = registry.get(symbol);
      if (found !== undefined) return found.file;
      // A method, a field or an enum value: the symbol before the last dot has the file.
      const dot = symbol.lastIndexOf(".");
      const owner = dot === -1 ? undefined : registry.get(symbol.slice(0, dot));
      const name = symbol.slice(dot + 1);
      const isMember =
        (owner?.kind === "service" && owner.methods.some((method) => method.name === name)) ||
        (owner?.kind === "message" && owner.members.some((member) => member.name === name));
      return isMember ? owner?.file : undefined;
    },
    extensionFile: (message, number) => {
      const extendee = registry.getMessage(message);
      return extendee && registry.getExtensionFor(extendee, number)?.file;
    },
    extensionNumbers(message) {
      if (registry.getMessage(message) === undefined) return undefined;
      return [...registry]
        .filter((found) => found.kind === "extension")
        .filter((extension) => extension.extendee.typeName === message)
        .map((extension) => extension.number);
    },
  };
}

function answer(index: DescriptorIndex, request: Request) {
  const { messageRequest } = request;
  switch (messageRequest.case) {
    case "listServices":
      return {
        case: "listServicesResponse" as const,
        value: { service: index.serviceNames.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return fileAnswer(index.fileByName.get(messageRequest.value), `file "${messageRequest.value}"`);
    case "fileContainingSymbol":
      return fileAnswer(index.fileBySymbol(messageRequest.value), `symbol "${messageRequest.value}"`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      const file = index.extensionFile(containingType, extensionNumber);
      return fileAnswer(file, `extension ${extensionNumber} of "${containingType}"`);
    }
    case "allExtensionNumbersOfType": {
      const baseTypeName = messageRequest.value;
      const extensionNumber = index.extensionNumbers(baseTypeName);
      return extensionNumber === undefined
        ? errorAnswer(Code.NotFound, `message "${baseTypeName}" is not known`)
        : { case: "allExtensionNumbersResponse" as const, value: { baseTypeName, extensionNumber } };
    }
    default:
      return errorAnswer(Code.InvalidArgument, "the reflection request asks for nothing");
  }
}

/** The file and everything it imports, every file before its own imports. */
function fileAnswer(file: DescFile | undefined, what: string) {
  if (file === undefined) return errorAnswer(Code.NotFound, `${what} is not known`);
  const closure = new Set<DescFile>();
  const add = (one: DescFile) => {
    if (closure.has(one)) return;
    one.dependencies.forEach(add);
    closure.add(one);
  };
  add(file);
  return {
    case: "fileDescriptorResponse" as const,
    value: { fileDescriptorProto: [...closure].reverse().map((one) => toBinary(FileDescriptorProtoSchema, one.proto)) },
  };
}

const errorAnswer = (errorCode: Code, errorMessage: string) => ({
  case: "errorResponse" as const,
  value: { errorCode, errorMessage },
});
