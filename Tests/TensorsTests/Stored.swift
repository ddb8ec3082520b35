// Stored tensors of a test's own numbers.
import Foundation
import Testing

@testable import Tensors

/// Keeps the bytes of a test's stored tensor.
private final class Memory {
  let base: UnsafeMutableRawPointer
  init(_ numbers: [some BitwiseCopyable]) {
    let bytes = numbers.withUnsafeBytes { Array($0) }
    base = .allocate(byteCount: max(bytes.count, 1), alignment: 64)
    base.copyMemory(from: bytes, byteCount: bytes.count)
  }
  deinit { base.deallocate() }
}

/// Pages that end with a test's numbers, as a mapped file ends with its last tensor: aligned to a number alone, and
/// reading on is a fault.
private final class LastPages {
  let base: UnsafeMutableRawPointer
  private let pages: UnsafeMutableRawPointer
  private let length: Int

  init(_ numbers: [some BitwiseCopyable]) throws {
    let page = sysconf(Int32(_SC_PAGESIZE))
    let bytes = numbers.withUnsafeBytes { Array($0) }
    let readable = (bytes.count + page - 1) / page * page
    length = readable + page
    let mapped = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    pages = try #require(mapped != MAP_FAILED ? mapped : nil)
    base = pages + readable - bytes.count
    base.copyMemory(from: bytes, byteCount: bytes.count)
    try #require(mprotect(pages + readable, page, PROT_NONE) == 0)
  }
  deinit { munmap(pages, length) }
}

/// The numbers in their encoding where mapped memory ends.
func storedLast(_ numbers: [Float], _ type: ElementType, _ shape: [Int]) throws -> StoredTensor {
  let memory =
    switch type {
    case .float32: try LastPages(numbers)
    case .float16: try LastPages(numbers.map { Float16($0).bitPattern })
    case .bfloat16: try LastPages(numbers.map(\.bfloat16))
    }
  return StoredTensor(name: "test", type: type, shape: shape, base: memory.base, owner: memory)
}

func stored(_ numbers: [some BitwiseCopyable], _ type: ElementType, _ shape: [Int]) -> StoredTensor {
  let memory = Memory(numbers)
  return StoredTensor(name: "test", type: type, shape: shape, base: memory.base, owner: memory)
}

/// Numbers in (-1, 1) that `type` holds exactly, the same on every machine.
struct Numbers {
  private var state: UInt32 = 1
  let type: ElementType
  init(_ type: ElementType = .float32) { self.type = type }

  mutating func next() -> Float {
    state = state &* 1_664_525 &+ 1_013_904_223
    return type.rounding(Float(Int32(bitPattern: state) >> 16) / 32768)
  }

  mutating func array(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }
  mutating func matrix(_ rows: Int, _ columns: Int) -> Matrix<Float> {
    Matrix(array(rows * columns), rows: rows, columns: columns)
  }
}

/// The numbers, which `type` holds exactly, in its encoding.
func encoded(_ numbers: [Float], _ type: ElementType, _ shape: [Int]) -> StoredTensor {
  switch type {
  case .float32: stored(numbers, type, shape)
  case .float16: stored(numbers.map { Float16($0).bitPattern }, type, shape)
  case .bfloat16: stored(numbers.map(\.bfloat16), type, shape)
  }
}

/// The reference GEMM in double precision, `x op(W) + y`.
func reference(
  _ x: Matrix<Float>, _ w: Matrix<Float>, _ transpose: Transpose, adding y: Matrix<Float>? = nil
) -> [Double] {
  let columns = transpose == .asIs ? w.columns : w.rows
  return (0..<x.rows).flatMap { i in
    (0..<columns).map { j in
      (0..<x.columns).reduce(y.map { Double($0.row(i)[j]) } ?? 0) { sum, k in
        sum + Double(x.row(i)[k]) * Double(transpose == .asIs ? w.row(k)[j] : w.row(j)[k])
      }
    }
  }
}

func largestDifference(_ a: [Float], _ b: [Double]) -> Double {
  a.count == b.count ? zip(a, b).map { abs(Double($0) - $1) }.max() ?? 0 : .infinity
}
