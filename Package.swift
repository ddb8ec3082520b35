// swift-tools-version: 6.1
// Modules in the order of their layers: a module imports only from lines above it (scripts/check-layers.sh).
import PackageDescription

/// Numeric kernels alone run without bounds checks and are optimised in every configuration.
let kernels: [SwiftSetting] = [.unsafeFlags(["-Ounchecked", "-Xcc", "-march=native"])]

let package = Package(
  name: "imagelora",
  products: [.executable(name: "imagelora", targets: ["imagelora"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // 0: module maps and shim headers
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .target(name: "CImages", exclude: ["README.md"], linkerSettings: [.linkedLibrary("png"), .linkedLibrary("jpeg")]),
    // 1
    .target(name: "Tensors", dependencies: ["COpenBLAS", "COneDNN"], exclude: ["README.md"], swiftSettings: kernels),
    .target(name: "Collectives", exclude: ["README.md"]),
    .target(name: "Digests", dependencies: ["COpenSSL"], exclude: ["README.md"]),
    .target(name: "HDF5", dependencies: ["CHDF5"], exclude: ["README.md"]),
    // 2
    .target(name: "MPI", dependencies: ["CMPI", "Collectives"], exclude: ["README.md"]),
    .target(name: "HuggingFace", dependencies: ["Tensors", "Digests"], exclude: ["README.md"]),
    .target(name: "RunFile", dependencies: ["Yams", "Digests"], exclude: ["README.md"]),
    // 3
    .target(name: "Datasets", dependencies: ["Digests"], exclude: ["README.md"]),
    .target(name: "Layers", dependencies: ["Tensors"], exclude: ["README.md"], swiftSettings: kernels),
    // 4
    .target(
      name: "Preprocessing", dependencies: ["CImages", "CPNG", "HuggingFace", "Datasets"], exclude: ["README.md"]),
    .target(
      name: "QwenVL", dependencies: ["Tensors", "HuggingFace", "Layers"], exclude: ["README.md"],
      swiftSettings: kernels),
    // 5
    .target(
      name: "Units",
      dependencies: ["Tensors", "Digests", "HDF5", "HuggingFace", "Datasets", "Preprocessing", "QwenVL"],
      exclude: ["README.md"]),
    .target(
      name: "Adapters", dependencies: ["Tensors", "Datasets", "Preprocessing", "QwenVL", "HuggingFace", "HDF5"],
      exclude: ["README.md"], swiftSettings: kernels),
    // 6
    .target(
      name: "Training",
      dependencies: ["Tensors", "Digests", "Collectives", "HDF5", "RunFile", "Datasets", "Units", "Adapters"],
      exclude: ["README.md"]),
    .target(
      name: "Evaluation",
      dependencies: [
        "Tensors", "Collectives", "HuggingFace", "Datasets", "Preprocessing", "QwenVL", "Units", "Adapters",
      ],
      exclude: ["README.md"]),
    // 7
    .target(
      name: "Report",
      dependencies: [
        "HuggingFace", "RunFile", "Datasets", "Preprocessing", "QwenVL", "Adapters", "Training", "Evaluation",
      ],
      exclude: ["README.md"]),
    // 8
    .executableTarget(
      name: "imagelora",
      dependencies: [
        "MPI", "Training", "Evaluation", "Report", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      exclude: ["README.md"]),
    .executableTarget(
      name: "ranktests", dependencies: ["MPI", "Collectives", "Digests"], exclude: ["README.md"]),
    .executableTarget(
      name: "benchmarks",
      dependencies: ["Training", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      exclude: ["README.md"]),
    // tests, one target a module, and what they share
    .target(name: "GradientCheck", dependencies: ["Tensors"], path: "Tests/GradientCheck"),
    .target(name: "TestSupport", dependencies: ["Collectives"], path: "Tests/TestSupport"),
    .target(
      name: "TinyModels",
      dependencies: ["TestSupport", "HuggingFace", "Datasets", "Preprocessing", "QwenVL", "Units", "Adapters"],
      path: "Tests/TinyModels"),
    .testTarget(name: "CollectivesTests", dependencies: ["Collectives", "TestSupport"]),
    .testTarget(name: "HDF5Tests", dependencies: ["HDF5", "TestSupport"], resources: [.copy("Resources")]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors"]),
    .testTarget(
      name: "AdaptersTests",
      dependencies: [
        "Adapters", "CPNG", "HDF5", "QwenVL", "Layers", "HuggingFace", "Tensors", "GradientCheck", "TestSupport",
      ]),
    .testTarget(name: "LayersTests", dependencies: ["Layers", "Tensors", "GradientCheck"]),
    .testTarget(name: "DigestsTests", dependencies: ["Digests"]),
    .testTarget(name: "DatasetsTests", dependencies: ["Datasets"], exclude: ["Resources"]),
    .testTarget(name: "RunFileTests", dependencies: ["RunFile"]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Adapters", "Collectives", "Datasets", "HDF5", "HuggingFace", "RunFile", "Tensors", "Units",
        "TestSupport", "TinyModels",
      ]),
    .testTarget(
      name: "UnitsTests",
      dependencies: [
        "Units", "Adapters", "Preprocessing", "HuggingFace", "Datasets", "Digests", "HDF5", "Tensors", "TestSupport",
        "TinyModels",
      ]),
    .testTarget(
      name: "PreprocessingTests", dependencies: ["Preprocessing", "HuggingFace", "Datasets", "Digests"],
      resources: [.copy("Resources")]),
    .testTarget(
      name: "EvaluationTests",
      dependencies: [
        "Evaluation", "Tensors", "Collectives", "HuggingFace", "Datasets", "Preprocessing", "QwenVL", "Units",
        "Adapters", "TestSupport", "TinyModels",
      ]),
    .testTarget(
      name: "ReportTests",
      dependencies: [
        "Report", "Training", "Evaluation", "Adapters", "Preprocessing", "Datasets", "HuggingFace", "TestSupport",
      ]),
    .testTarget(
      name: "HuggingFaceTests", dependencies: ["HuggingFace", "Tensors", "Digests", "TestSupport"],
      resources: [.copy("Resources")]),
    .testTarget(
      name: "ParityTests", dependencies: ["Training", "QwenVL", "Tensors", "HDF5", "Digests"], exclude: ["README.md"],
      resources: [.copy("Resources")]),
  ]
)
