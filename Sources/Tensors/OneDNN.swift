// Matrix multiplication of bf16 numbers with fp32 accumulation, by oneDNN.
import COneDNN

/// Numbers that oneDNN multiplies.
protocol OneDNNNumber {
  static var oneDNNType: dnnl_data_type_t { get }
}

/// The bits of a bf16 number.
extension UInt16: OneDNNNumber {
  static var oneDNNType: dnnl_data_type_t { dnnl_bf16 }
}

/// Every processor multiplies these, so that tests of all shapes and strides run everywhere.
extension Float: OneDNNNumber {
  static var oneDNNType: dnnl_data_type_t { dnnl_f32 }
}

/// oneDNN on the CPU.
enum OneDNN {
  /// Whether this processor multiplies bf16 numbers itself (AVX-512 BF16 or AMX); elsewhere oneDNN refuses bf16 or is
  /// slow with it. `DNNL_MAX_CPU_ISA` narrows it, as everywhere in oneDNN.
  static let hasBFloat16Instructions: Bool = {
    let isa = dnnl_get_effective_cpu_isa().rawValue
    return isa & dnnl_cpu_isa_avx512_core_bf16.rawValue == dnnl_cpu_isa_avx512_core_bf16.rawValue
  }()

  private struct Engine: @unchecked Sendable {
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

  private static let cpu = Engine()

  /// `C = A op(B)` (`+ C` when `accumulate`).   A [m, k], op(B) [k, n], C fp32 [m, n]
  ///
  /// Primitives are created for each call: oneDNN caches the code that it generated for a shape (the last 1024 shapes,
  /// `ONEDNN_PRIMITIVE_CACHE_CAPACITY`), for all threads.
  /// - Precondition: the shapes agree and no dimension is 0.
  static func multiply<Number: OneDNNNumber>(
    _ a: GEMMOperand<Number>, _ b: GEMMOperand<Number>, _ transposeB: Transpose, into c: Matrix<Float>,
    accumulate: Bool
  ) {
    let (m, k) = (a.rows, a.columns)
    let (kB, n) = transposeB == .asIs ? (b.rows, b.columns) : (b.columns, b.rows)
    precondition(
      k == kB && c.rows == m && c.columns == n, "GEMM of \(m)x\(k) and \(kB)x\(n) into \(c.rows)x\(c.columns)")
    var source = description(m, k, (a.stride, 1), Number.oneDNNType)
    var weights = description(k, n, transposeB == .asIs ? (b.stride, 1) : (1, b.stride), Number.oneDNNType)
    var target = description(m, n, (c.stride, 1), dnnl_f32)
    var operation = dnnl_matmul_desc_t()
    check(dnnl_matmul_desc_init(&operation, &source, &weights, nil, &target), "GEMM of \(m)x\(k) and \(k)x\(n)")

    var attributes: dnnl_primitive_attr_t?
    check(dnnl_primitive_attr_create(&attributes), "attributes")
    defer { dnnl_primitive_attr_destroy(attributes) }
    if accumulate {
      var additions: dnnl_post_ops_t?
      check(dnnl_post_ops_create(&additions), "post-operations")
      defer { dnnl_post_ops_destroy(additions) }
      check(dnnl_post_ops_append_sum(additions, 1), "sum")
      check(dnnl_primitive_attr_set_post_ops(attributes, additions), "post-operations")
    }
    var primitiveDescription: dnnl_primitive_desc_t?
    check(dnnl_primitive_desc_create(&primitiveDescription, &operation, attributes, cpu.engine, nil), "GEMM")
    defer { dnnl_primitive_desc_destroy(primitiveDescription) }
    var primitive: dnnl_primitive_t?
    check(dnnl_primitive_create(&primitive, primitiveDescription), "GEMM")
    defer { dnnl_primitive_destroy(primitive) }

    let memories = [
      memory(&source, UnsafeMutableRawPointer(mutating: a.base)),
      memory(&weights, UnsafeMutableRawPointer(mutating: b.base)), memory(&target, c.base),
    ]
    defer { memories.forEach { dnnl_memory_destroy($0) } }
    let arguments = zip([DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST], memories).map {
      dnnl_exec_arg_t(arg: $0, memory: $1)
    }
    check(dnnl_primitive_execute(primitive, cpu.stream, Int32(arguments.count), arguments), "GEMM")
    check(dnnl_stream_wait(cpu.stream), "GEMM")
  }

  private static func description(
    _ rows: Int, _ columns: Int, _ strides: (Int, Int), _ type: dnnl_data_type_t
  ) -> dnnl_memory_desc_t {
    var result = dnnl_memory_desc_t()
    let (dimensions, strides) = ([Int64(rows), Int64(columns)], [Int64(strides.0), Int64(strides.1)])
    check(dnnl_memory_desc_init_by_strides(&result, 2, dimensions, type, strides), "\(rows)x\(columns)")
    return result
  }

  private static func memory(_ description: inout dnnl_memory_desc_t, _ start: UnsafeMutableRawPointer)
    -> dnnl_memory_t?
  {
    var result: dnnl_memory_t?
    check(dnnl_memory_create(&result, &description, cpu.engine, start), "memory")
    return result
  }

  /// Shapes are checked before; what remains is a failed allocation, from which the program cannot go on. Checked in
  /// every build: preconditions are not, in this module.
  private static func check(_ status: dnnl_status_t, _ what: String) {
    if status != dnnl_success { fatalError("oneDNN: \(what): status \(status.rawValue)") }
  }
}
