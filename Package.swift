// swift-tools-version: 6.1
// Modules in the order of their layers: a module imports only from lines above it (scripts/check-layers.sh).
import PackageDescription

/// Only numeric kernels run without bounds checks, and only in release builds; IMAGELORA_CHECKS=1 keeps the checks.
let hasChecks = Context.environment["IMAGELORA_CHECKS"] == "1"
/// IMAGELORA_FUZZ=1 adds the fuzz targets, which scripts/fuzz.sh builds; there everything is checked.
let hasFuzzTargets = Context.environment["IMAGELORA_FUZZ"] == "1"
/// The commit that `--version` prints: IMAGELORA_COMMIT, which scripts/install.sh takes from git. Asked for here, each
/// commit would be a build from nothing.
let commit = Context.environment["IMAGELORA_COMMIT"] ?? ""
/// The MPI that CMPI is compiled against: the flags that scripts/mpi-flags.sh finds, by MPICC or in a module's PATH, or
/// else pkg-config's of IMAGELORA_MPI.
let mpiName = Context.environment["IMAGELORA_MPI"] ?? "ompi-c"
let mpiFlags = (compiler: words("IMAGELORA_MPI_CFLAGS"), linker: words("IMAGELORA_MPI_LIBS"))
/// The BLAS that CBLAS is compiled against: pkg-config's OpenBLAS, or the one whose name and flags
/// scripts/build-flags.sh finds.
let blasName = Context.environment["IMAGELORA_BLAS"] ?? "openblas"
let blasFlags = (compiler: words("IMAGELORA_BLAS_CFLAGS"), linker: words("IMAGELORA_BLAS_LIBS"))
let blasKind: [CSetting] = ["mkl", "blis"].filter { blasName.hasPrefix($0) }
  .map { .define("IMAGELORA_BLAS_\($0.uppercased())") }
/// Where the program finds the libraries of IMAGELORA_PREFIX when it runs.
let prefixFlags = words("IMAGELORA_PREFIX_LIBS")
/// The oneDNN that COneDNN is compiled against; IMAGELORA_ONEDNN=none builds without it, and so without bf16.
let hasOneDNN = Context.environment["IMAGELORA_ONEDNN"] != "none"
let oneDNNFlags = (compiler: words("IMAGELORA_ONEDNN_CFLAGS"), linker: words("IMAGELORA_ONEDNN_LIBS"))
/// The processor that kernels are compiled for: IMAGELORA_MARCH, a name of clang's -march. `native` is that of this
/// machine. Of other architectures than x86-64 it is the compiler's own baseline unless stated.
#if arch(x86_64)
  let baseline = "x86-64-v3"
#else
  let baseline = ""
#endif
let march = Context.environment["IMAGELORA_MARCH"].flatMap { $0.isEmpty ? nil : $0 } ?? baseline
/// clang takes x86-64-v4 for processors that slow down with registers of 512 bits, and leaves them unused.
let marchFlags = march.isEmpty ? [] : ["-march=\(march)"] + (march == "x86-64-v4" ? ["-mtune=znver4"] : [])
/// Swift takes its processor from the options of the clang that imports C.
let kernels: [SwiftSetting] = [
  .unsafeFlags([hasChecks || hasFuzzTargets ? "-O" : "-Ounchecked"], .when(configuration: .release)),
  .unsafeFlags(marchFlags.flatMap { ["-Xcc", $0] }),
]

/// The words of a variable of the environment.
func words(_ variable: String) -> [String] {
  (Context.environment[variable] ?? "").split(separator: " ").map(String.init)
}

extension Target {
  /// A module of Sources with its own README.md.
  /// - Parameter embedded: files whose bytes become constants of the program, which so needs no files beside it.
  static func module(
    _ name: String, _ dependencies: [Dependency] = [], _ settings: [SwiftSetting] = [], embedded: [String] = []
  ) -> Target {
    .target(
      name: name, dependencies: dependencies, exclude: ["README.md"], resources: embedded.map { .embedInCode($0) },
      swiftSettings: settings)
  }

  /// The tests of a module.
  static func tests(
    _ module: String, _ dependencies: [Dependency] = [], exclude: [String] = [], resources: Bool = false
  ) -> Target {
    .testTarget(
      name: "\(module)Tests", dependencies: [.byName(name: module)] + dependencies, exclude: exclude,
      resources: resources ? [.copy("Resources")] : [])
  }
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let libraries: [Target] = [
  // 0: C libraries, and modules without dependencies
  .systemLibrary(name: "CBLASLibrary", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
  .target(
    name: "CBLAS", dependencies: blasFlags.linker.isEmpty ? ["CBLASLibrary"] : [], exclude: ["README.md"],
    cSettings: blasKind + [.unsafeFlags(blasFlags.compiler)],
    linkerSettings: [.unsafeFlags(blasFlags.linker + prefixFlags)]),
  .target(
    name: "COneDNN", exclude: ["README.md"],
    cSettings: (hasOneDNN ? [] : [.define("IMAGELORA_NO_ONEDNN")]) + [.unsafeFlags(oneDNNFlags.compiler)],
    linkerSettings: [
      .unsafeFlags(hasOneDNN && oneDNNFlags.linker.isEmpty ? ["-ldnnl"] : oneDNNFlags.linker)
    ]),
  .systemLibrary(name: "CMPILibrary", pkgConfig: mpiName, providers: [.apt(["libopenmpi-dev"])]),
  .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
  .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
  .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
  .systemLibrary(name: "CCompression", providers: [.apt(["zlib1g-dev", "libzstd-dev"])]),
  .target(name: "CCommit", exclude: ["README.md"], cSettings: [.define("IMAGELORA_COMMIT", to: "\"\(commit)\"")]),
  .target(name: "CInstructions", exclude: ["README.md"], cSettings: [.unsafeFlags(marchFlags)]),
  .target(
    name: "CProcessor", dependencies: ["CCommit", "CInstructions"], exclude: ["README.md"],
    cSettings: [.define("IMAGELORA_MARCH", to: "\"\(march.isEmpty ? "this architecture" : march)\"")]),
  .target(
    name: "CMPI", dependencies: mpiFlags.linker.isEmpty ? ["CMPILibrary"] : [], exclude: ["README.md"],
    cSettings: [.unsafeFlags(mpiFlags.compiler)], linkerSettings: [.unsafeFlags(mpiFlags.linker)]),
  .target(
    name: "CImages", exclude: ["README.md"],
    linkerSettings: [
      .linkedLibrary("png"), .linkedLibrary("jpeg"), .linkedLibrary("webp"), .linkedLibrary("tiff"),
      .linkedLibrary("z"),
    ]),
  .module("Files"),
  .module("Formatting"),
]

let modules: [Target] = [
  // 1
  .module("Tensors", ["CBLAS", "COneDNN"], kernels),
  .module("Collectives", ["Files"]),
  .module("HDF5", ["CHDF5", "Files"]),
  .module("Digests", ["COpenSSL", "Files"]),
  .module("RandomNumbers"),
  .module("TensorBoard", ["Files"]),
  // 2
  .module("MPI", ["CMPI", "Files", "Collectives"]),
  .module("HuggingFace", ["Files", "Tensors", "Digests"]),
  // 3
  .module("Datasets", ["CCompression", "Files", "HDF5", "Digests", "RandomNumbers"]),
  .module("Layers", ["Tensors"], kernels),
  // 4
  .module("Preprocessing", ["CImages", "CPNG", "Files", "HuggingFace", "Datasets"]),
  .module("QwenVL", ["Files", "Tensors", "HuggingFace", "Layers"], kernels),
  // 5
  .module(
    "Batches",
    ["Files", "Tensors", "Collectives", "HDF5", "Digests", "HuggingFace", "Datasets", "Preprocessing", "QwenVL"]),
  .module("Adapters", ["Tensors", "RandomNumbers", "HuggingFace", "QwenVL"], kernels),
  // 6
  .module(
    "RunFile",
    [
      "Yams", "Files", "Tensors", "Collectives", "Digests", "HuggingFace", "Datasets", "Preprocessing", "QwenVL",
      "Batches", "Adapters",
    ]),
  .module(
    "Artifacts",
    [
      "Files", "Formatting", "Tensors", "HDF5", "Digests", "RandomNumbers", "HuggingFace", "Preprocessing", "QwenVL",
      "Batches", "Adapters",
    ], embedded: ["AdapterFolders/image_lora.py", "AdapterFolders/image_lora_pt.py"]),
  .module(
    "Evaluation",
    [
      "Files", "Formatting", "Digests", "RandomNumbers", "Tensors", "Collectives", "HuggingFace", "Datasets",
      "Preprocessing", "QwenVL", "Batches",
    ]),
  .module(
    "Costs",
    ["Formatting", "Tensors", "Collectives", "HuggingFace", "Layers", "Datasets", "QwenVL", "Batches", "Adapters"]),
  // 7
  .module("HeatMaps", ["Artifacts"]),
  .module(
    "Training",
    [
      "Files", "Formatting", "Tensors", "Collectives", "Digests", "HuggingFace", "Datasets", "QwenVL", "Batches",
      "Adapters", "RunFile", "Artifacts", "Costs", "Evaluation", "TensorBoard",
    ]),
  // 8
  .module(
    "Planning",
    [
      "Files", "Formatting", "Tensors", "HuggingFace", "Datasets", "QwenVL", "Batches", "RunFile", "Artifacts",
      "Costs",
    ]),
  .module(
    "Inspection",
    [
      "Files", "Formatting", "Tensors", "HDF5", "Digests", "RandomNumbers", "HuggingFace", "Datasets",
      "Preprocessing", "QwenVL", "Batches", "Adapters", "RunFile", "Artifacts", "Costs", "Training",
    ]),
  .module(
    "Report",
    [
      "Files", "Formatting", "Digests", "Datasets", "Preprocessing", "QwenVL", "Batches", "Adapters", "RunFile",
      "Artifacts", "Costs", "HeatMaps", "Evaluation",
    ]),
]

let programs: [Target] = [
  // 9
  .executableTarget(
    name: "imagelora",
    dependencies: [
      "CCommit", "CProcessor", "Files", "Tensors", "Collectives", "MPI", "HuggingFace", "Datasets", "Preprocessing",
      "QwenVL", "Batches", "Adapters", "RunFile", "Artifacts", "Costs", "HeatMaps", "Training", "Evaluation",
      "Planning",
      "Inspection", "Report",
      argumentParser,
    ],
    exclude: ["README.md"]),
  .executableTarget(
    name: "benchmarks",
    dependencies: [
      "CProcessor", "Formatting", "Tensors", "Collectives", "MPI", "RandomNumbers", "HuggingFace", "Datasets", "Layers",
      "Preprocessing", "QwenVL", "Batches", "Adapters", "Artifacts", "Costs", argumentParser,
    ],
    exclude: ["README.md"]),
  .executableTarget(
    name: "ranktests",
    dependencies: [
      "Collectives", "Digests", "MPI",
    ],
    exclude: ["README.md"]),
]

let tests: [Target] = [
  // One target of tests for each module, and the targets that they share.
  .target(name: "GradientCheck", dependencies: ["Tensors"], path: "Tests/GradientCheck"),
  .target(name: "TestSupport", dependencies: ["Collectives", "HuggingFace"], path: "Tests/TestSupport"),
  .target(
    name: "TinyModels",
    dependencies: [
      "TestSupport", "RandomNumbers", "HuggingFace", "Datasets", "Preprocessing", "QwenVL", "Batches", "Adapters",
      "Artifacts",
    ],
    path: "Tests/TinyModels"),
  .tests("Files", ["TestSupport"]),
  .tests("Formatting"),
  .tests("Collectives", ["TestSupport"]),
  .tests("HDF5", ["TestSupport"], resources: true),
  .tests("Digests", ["Files", "TestSupport"]),
  .tests("RandomNumbers"),
  .tests("Tensors"),
  .tests("Layers", ["GradientCheck"]),
  .tests("HuggingFace", ["Files", "TestSupport"], resources: true),
  .tests("MPI", ["Files", "Collectives"]),
  .tests(
    "Datasets", ["CCompression", "Files", "HDF5", "Digests", "TestSupport"], exclude: ["Resources"]),
  .tests("Preprocessing", ["Files", "TestSupport"], resources: true),
  .tests("Batches", ["Costs", "TestSupport", "TinyModels"]),
  .tests("Adapters", ["GradientCheck", "TestSupport"]),
  .tests("RunFile", ["TestSupport", "TinyModels"]),
  .tests("Artifacts", ["TestSupport", "TinyModels"]),
  .tests("TensorBoard", ["TestSupport"]),
  .tests("Training", ["TestSupport", "TinyModels"]),
  .tests("Evaluation", ["TestSupport", "TinyModels"]),
  .tests("HeatMaps"),
  .tests("Planning", ["TestSupport", "TinyModels"]),
  .tests("Inspection", ["TestSupport", "TinyModels"]),
  .tests("Report", ["TestSupport"]),
  .testTarget(
    name: "ParityTests", dependencies: ["Inspection"], exclude: ["README.md"], resources: [.copy("Resources")]),
]

let fuzzing: [Target] = [
  .executableTarget(
    name: "fuzz",
    dependencies: [
      "Files", "HDF5", "Digests", "HuggingFace", "Datasets", "Preprocessing", "QwenVL", "Batches", "Adapters",
      "Collectives", "RunFile", "Artifacts", "Evaluation", "Inspection", "Report", "TinyModels",
    ],
    path: "Tests/Fuzz", exclude: ["README.md", "corpus", "dictionaries", "findings", "leaks.txt"])
]

/// Targets of a build that runs the kernels' tests with checks.
let checked: Set<String> = [
  "CBLAS", "CBLASLibrary", "COneDNN", "COpenSSL", "Files", "Tensors", "Collectives", "Digests", "RandomNumbers",
  "HuggingFace",
  "Layers", "QwenVL", "Adapters", "GradientCheck", "TestSupport", "TensorsTests", "LayersTests", "AdaptersTests",
]
let targets =
  (libraries + modules + programs + tests).filter { !hasChecks || checked.contains($0.name) }
  + (hasFuzzTargets ? fuzzing : [])

let package = Package(
  name: "imagelora",
  products: hasChecks ? [] : [.executable(name: "imagelora", targets: ["imagelora"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: targets)
