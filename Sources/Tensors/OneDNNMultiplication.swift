// A matrix multiplication of one shape as oneDNN has prepared it, to be run with any matrices of that shape.
import COneDNN

/// One thread uses it at a time.
final class OneDNNMultiplication: @unchecked Sendable {
  /// What the code depends on.
  struct Shape: Hashable {
    /// Of the factors' numbers, as oneDNN counts types.
    let type: UInt32
    /// op(A) [m, k], op(B) [k, n], C [m, n]
    let m, n, k: Int
    /// Distances between rows of A, B and C as they lie in memory.
    let strides: SIMD4<Int>
    let transposesA, transposesB, accumulates: Bool
  }

  private let primitive: dnnl_primitive_t
  /// Of A, B and C, in this order.
  private let arguments: [dnnl_exec_arg_t]

  /// The engine and the stream of the CPU.
  private struct CPU: @unchecked Sendable {
    let engine: dnnl_engine_t
    let stream: dnnl_stream_t

    init() {
      var engine: dnnl_engine_t?
      check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine")
      var stream: dnnl_stream_t?
      check(dnnl_stream_create(&stream, engine, UInt32(dnnl_stream_default_flags.rawValue)), "stream")
      guard let engine, let stream else { fatalError("oneDNN gave no engine") }
      (self.engine, self.stream) = (engine, stream)
    }
  }

  private static let cpu = CPU()

  init(_ shape: Shape) {
    let (m, n, k, type) = (shape.m, shape.n, shape.k, dnnl_data_type_t(shape.type))
    func strides(_ stride: Int, _ isTransposed: Bool) -> (Int, Int) { isTransposed ? (1, stride) : (stride, 1) }
    var source = Self.description(m, k, strides(shape.strides[0], shape.transposesA), type)
    var weights = Self.description(k, n, strides(shape.strides[1], shape.transposesB), type)
    var target = Self.description(m, n, (shape.strides[2], 1), dnnl_f32)
    var operation = dnnl_matmul_desc_t()
    check(dnnl_matmul_desc_init(&operation, &source, &weights, nil, &target), "GEMM of \(m)x\(k) and \(k)x\(n)")

    var attributes: dnnl_primitive_attr_t?
    check(dnnl_primitive_attr_create(&attributes), "attributes")
    defer { dnnl_primitive_attr_destroy(attributes) }
    if shape.accumulates {
      var additions: dnnl_post_ops_t?
      check(dnnl_post_ops_create(&additions), "post-operations")
      defer { dnnl_post_ops_destroy(additions) }
      check(dnnl_post_ops_append_sum(additions, 1), "sum")
      check(dnnl_primitive_attr_set_post_ops(attributes, additions), "post-operations")
    }
    var description: dnnl_primitive_desc_t?
    check(dnnl_primitive_desc_create(&description, &operation, attributes, Self.cpu.engine, nil), "GEMM")
    defer { dnnl_primitive_desc_destroy(description) }
    var primitive: dnnl_primitive_t?
    check(dnnl_primitive_create(&primitive, description), "GEMM")
    guard let primitive else { fatalError("oneDNN gave no GEMM") }
    self.primitive = primitive
    arguments = [
      (DNNL_ARG_SRC, Self.memory(&source)), (DNNL_ARG_WEIGHTS, Self.memory(&weights)),
      (DNNL_ARG_DST, Self.memory(&target)),
    ].map { dnnl_exec_arg_t(arg: $0.0, memory: $0.1) }
  }

  deinit {
    arguments.forEach { dnnl_memory_destroy($0.memory) }
    dnnl_primitive_destroy(primitive)
  }

  func run(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ c: UnsafeMutableRawPointer) {
    check(dnnl_memory_set_data_handle(arguments[0].memory, UnsafeMutableRawPointer(mutating: a)), "A")
    check(dnnl_memory_set_data_handle(arguments[1].memory, UnsafeMutableRawPointer(mutating: b)), "B")
    check(dnnl_memory_set_data_handle(arguments[2].memory, c), "C")
    check(dnnl_primitive_execute(primitive, Self.cpu.stream, Int32(arguments.count), arguments), "GEMM")
    check(dnnl_stream_wait(Self.cpu.stream), "GEMM")
  }

  private static func description(
    _ rows: Int, _ columns: Int, _ strides: (Int, Int), _ type: dnnl_data_type_t
  ) -> dnnl_memory_desc_t {
    var result = dnnl_memory_desc_t()
    let (dimensions, strides) = ([Int64(rows), Int64(columns)], [Int64(strides.0), Int64(strides.1)])
    check(dnnl_memory_desc_init_by_strides(&result, 2, dimensions, type, strides), "\(rows)x\(columns)")
    return result
  }

  /// Without numbers yet.
  private static func memory(_ description: inout dnnl_memory_desc_t) -> dnnl_memory_t? {
    var result: dnnl_memory_t?
    // DNNL_MEMORY_NONE
    check(dnnl_memory_create(&result, &description, cpu.engine, nil), "memory")
    return result
  }
}

/// Shapes are checked before; what remains is a failed allocation, from which the program cannot go on. Checked in
/// every build: preconditions are not, in this module.
private func check(_ status: dnnl_status_t, _ what: String) {
  if status != dnnl_success { fatalError("oneDNN: \(what): status \(status.rawValue)") }
}
