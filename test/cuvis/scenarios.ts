// Every acceptance scenario of the pipeline service by its number: what must hold, and why a test of it must wait or cannot
// be here. The tests of this folder take their names from this list, and the report follows its order.

export interface Scenario {
  readonly number: number;
  /** What must hold, as a rule. */
  readonly title: string;
  /** What has to be there first; absent: there is a test. A scenario may wait in part: then it has a test as well. */
  readonly waitsFor?: string;
  readonly partly?: true;
  /** About the plain forms of calls: tested over a second transport of each host as well. */
  readonly plainForms?: true;
}

export interface Group {
  readonly letter: string;
  readonly title: string;
  readonly scenarios: readonly Scenario[];
}

const GRADIENT = "gradient training";
const test = (number: number, title: string): Scenario => ({ number, title });
const both = (number: number, title: string): Scenario => ({ number, title, plainForms: true });
const waits = (number: number, title: string, waitsFor: string): Scenario => ({ number, title, waitsFor });
const partly = (number: number, title: string, waitsFor: string): Scenario => ({
  number,
  title,
  waitsFor,
  partly: true,
});

export const GROUPS: readonly Group[] = [
  {
    letter: "A",
    title: "Sessions",
    scenarios: [
      both(1, "two sessions have different ids in UUID form"),
      both(2, "a session closes once; a second time it is NOT_FOUND"),
      both(3, "every call with an unknown session is NOT_FOUND and says so"),
      test(4, "a closed session has no plugins to list"),
      test(5, "weights loaded in one session change nothing in another"),
      test(6, "a session survives the end of the server, however it ends"),
      test(7, "creating, loading and closing five times takes less than a second each"),
    ],
  },
  {
    letter: "B",
    title: "Search paths",
    scenarios: [
      test(8, "replaced search paths are absolute, complete and in order"),
      test(9, "an appended path is added once"),
      test(
        10,
        "paths that are no folders are rejected as they were sent, and an empty replacement has the usual paths",
      ),
      test(11, "the first search path that has the file wins"),
      test(12, "search paths last from call to call"),
      test(13, "append not set is append"),
    ],
  },
  {
    letter: "C",
    title: "Configurations",
    scenarios: [
      both(14, "a resolved file has its own values and every default"),
      both(15, "a missing file is NOT_FOUND"),
      test(16, "broken YAML is an error that says so"),
      test(17, "a train run without its required fields is INVALID_ARGUMENT and names them"),
      test(18, "an unknown type with a file is INVALID_ARGUMENT, and without one NOT_FOUND"),
      test(19, "nonsense among the overrides is an error, and the server stays usable"),
      test(20, "a defaults list composes, and a file's own nested keys win over its groups"),
      test(21, "_self_, optional, override and unknown options of a defaults list do what they say"),
      test(22, "interpolations follow overrides, and an unknown key is INVALID_ARGUMENT"),
      test(23, "overrides reach into a pipeline file with the types of their values"),
      test(24, "a pipeline deep below the search path resolves"),
      both(25, "each of the seven types has a schema, an unknown one is NOT_FOUND"),
      both(26, "validation accepts what is right and says what is wrong"),
      test(27, "validation answers OK for any content, with one line for each fault"),
    ],
  },
  {
    letter: "D",
    title: "Plugins and nodes",
    scenarios: [
      both(28, "a registered plugin and its node are listed"),
      test(29, "two plugins and three classes are all listed"),
      test(30, "a plugin is known in its own session alone"),
      test(31, "a class name without a dot is refused in the answer, by the plugin's name"),
      test(32, "an unknown plugin is NOT_FOUND"),
      test(33, "built-in nodes are listed, and a plugin's node exactly once"),
      test(
        34,
        "a manifest that is none is INVALID_ARGUMENT, a wrong one an error in the answer; a name again replaces",
      ),
      test(35, "a plugin's node has its ports, category and sorted tags, and data modules are no nodes"),
      test(36, "nothing is cleared from an empty cache"),
      test(37, "the older LoadPlugins takes the good plugin and gives the reason for the bad one"),
    ],
  },
  {
    letter: "E",
    title: "Loading pipelines",
    scenarios: [
      both(38, "a loaded pipeline answers with its metadata"),
      test(
        39,
        "strict about plugins, an unregistered one is FAILED_PRECONDITION with its name; otherwise own classes load",
      ),
      test(40, "what is no pipeline is INVALID_ARGUMENT, and a version is no fault"),
      test(41, "a connection to what is not there, or of ports that clash, is INVALID_ARGUMENT"),
      test(42, "an unknown hyper-parameter is kept and written back"),
      test(43, "nodes of one name are counted, and connections attach to the first"),
      test(44, "a second pipeline takes the place of the first"),
      test(45, "a data module that no plugin provides is INVALID_ARGUMENT"),
    ],
  },
  {
    letter: "F",
    title: "Weights",
    scenarios: [
      test(46, "weights without a pipeline are FAILED_PRECONDITION"),
      test(47, "a weights file that is not there is NOT_FOUND"),
      test(48, "a checkpoint of something else loads nothing and is no fault, by path, by bytes and strictly"),
      test(49, "the weights that ship with the core's pipeline load strictly"),
      test(50, "weights by bytes are named so, and neither source is INVALID_ARGUMENT"),
      test(51, "keys must agree where that is asked for, shapes always, and types are converted"),
      test(52, "relative weights are found in the search paths, with and without their suffix"),
      test(53, "the shipped weights give the reference's scores"),
    ],
  },
  {
    letter: "G",
    title: "Introspection and pictures",
    scenarios: [
      both(54, "the inputs of a pipeline are its open ports, with sizes and types"),
      test(55, "the outputs of a pipeline are its unused ports, with names and types"),
      test(56, "pictures are PNG unless SVG is asked for"),
      test(57, "a file that does not load can be drawn all the same, up to a size"),
      test(58, "dot, graphviz and mermaid are text; an unknown format is INVALID_ARGUMENT"),
    ],
  },
  {
    letter: "H",
    title: "Discovery",
    scenarios: [
      both(59, "pipelines are listed, by tag where asked, with the weights that exist"),
      test(60, "an empty folder has no pipelines"),
      test(61, "nested pipelines have relative paths, tags and weights of their own"),
      test(62, "one pipeline is described; unknown ones and other paths are refused"),
      test(63, "no path leads out of the folder, and the text is the file's"),
    ],
  },
  {
    letter: "I",
    title: "Inference",
    scenarios: [
      both(64, "a forward pass answers with every output by node and port"),
      test(65, "outputs are filtered by key or by port"),
      test(66, "an empty batch is INTERNAL with the inputs that are missing"),
      test(67, "no pipeline is FAILED_PRECONDITION, no session NOT_FOUND"),
      both(68, "boxes, points and a text beside the cube do no harm"),
      test(69, "an unfitted selector weighs all channels alike"),
      test(70, "types and sizes are checked against the ports, and bytes against the shape"),
      test(71, "two images double the outputs, and no lines give empty ones"),
      test(72, "extra inputs reach open ports by name, and no connected ones"),
      test(73, "a tensor in shared memory gives what its bytes give, and only a plain name is looked at"),
      test(74, "the example pipelines run once they are fitted: what is executed answers, losses and metrics do not"),
    ],
  },
  {
    letter: "J",
    title: "Saving",
    scenarios: [
      test(75, "a pipeline is saved with its weights and the metadata given"),
      test(76, "what was saved loads in another session, weights strictly"),
      test(77, "relative paths lie below the pipeline folder, and an empty one is INVALID_ARGUMENT"),
      test(78, "the file has its keys in order, and the weights an entry for every node"),
      test(79, "inference before saving and after loading again is the same, bit by bit"),
    ],
  },
  {
    letter: "K",
    title: "Training",
    scenarios: [
      test(80, "a training needs a session, data, a known kind, a known data module and an absolute splits file"),
      both(81, "a statistical training tells its start and its end, and its status afterwards"),
      test(82, "statistics over batches equal the reference's"),
      partly(83, "a gradient training tells losses and metrics, by stage and epoch", GRADIENT),
      waits(84, "the messages of a gradient training come in order", GRADIENT),
      partly(85, "a gradient training that cannot be is refused", GRADIENT),
      waits(86, "AdamW steps give the reference's losses and parameters", GRADIENT),
      test(87, "a statistical training keeps what the session's train run says"),
      both(88, "capabilities are complete and described"),
      test(89, "a train run that names a pipeline, or is wrong, is refused; a valid one is taken"),
      test(90, "the four steps lead to a training, whose dummy data are refused"),
    ],
  },
  {
    letter: "L",
    title: "Train runs",
    scenarios: [
      test(91, "an untrained session saves its train run"),
      test(92, "weights are saved with it where asked, and its pipeline always"),
      test(93, "a restored train run is a session that infers"),
      test(94, "a train run that cannot be restored is refused for its reason"),
      test(95, "a pipeline without nodes but with connections cannot be restored"),
      partly(96, "a restored train run has its weights, and fitted nodes count as fitted", GRADIENT),
    ],
  },
  {
    letter: "M",
    title: "Profiling",
    scenarios: [
      test(97, "every executed node has its times, one sample for each call"),
      test(98, "first samples are skipped, statistics start anew, stop and are filtered"),
      test(99, "profiling needs a pipeline and a session"),
    ],
  },
  {
    letter: "N",
    title: "Server",
    scenarios: [
      test(100, "health answers SERVING for the server and for each of its services"),
      test(101, "a cube of 200 MiB passes, and what is larger than the limit is RESOURCE_EXHAUSTED"),
      test(102, "TLS without a certificate does not start, and GRPC_PORT is the port"),
      test(103, "inference is fast enough for its users"),
    ],
  },
  {
    letter: "O",
    title: "Workflows of example clients",
    scenarios: [
      partly(104, "the complete workflow in the older dialect", GRADIENT),
      test(105, "the statistical workflow with overrides in the older dialect"),
      partly(106, "a channel selector from scratch, saved, loaded again and resumed", GRADIENT),
      test(107, "inference with pretrained weights, measurement by measurement"),
      test(108, "a pipeline is looked into, and its picture written"),
      test(109, "pipelines are found, and capabilities printed"),
      test(110, "boxes, points and a text go with a cube"),
      partly(111, "a train run is restored and trained, and detectors of plugins are declared", GRADIENT),
    ],
  },
];

export const SCENARIOS: ReadonlyMap<number, Scenario> = new Map(
  GROUPS.flatMap(({ scenarios }) => scenarios.map((scenario) => [scenario.number, scenario])),
);

/** Whether there is a test of it. */
export const isTested = ({ waitsFor, partly }: Scenario): boolean => waitsFor === undefined || partly === true;
