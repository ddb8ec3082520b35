// Tests of what must hold between ranks, started by scripts/test-ranks.sh under mpirun.
import Collectives
import Digests
import Foundation
import MPI

/// The checks of one job. Every rank counts failures, and rank 0 prints the results.
struct Checks {
  let communicator: MPICommunicator
  var failed = 0

  /// A check passes if it holds on every rank.
  mutating func check(_ claim: String, _ holds: Bool) throws {
    let everywhere = try communicator.allGather([holds ? 1 : 0]).allSatisfy { $0 == [1] }
    if !everywhere { failed += 1 }
    if communicator.rank == 0 { print(everywhere ? "passed:" : "FAILED:", claim) }
  }
}

struct Broken: Error, CustomStringConvertible {
  let description: String
}

/// Gradients of 24 batches that a floating-point sum would round, the same on every rank: all magnitudes from the
/// smallest to the largest allowed, both signs, and pairs that cancel.
func gradients(count: Int) -> [[Float]] {
  var state: UInt64 = 42
  func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
  return (0..<24).map { batch in
    (0..<count).map { index in
      if batch > 12 && index % 3 == 0 { return index % 2 == 0 ? 0x1.fffffep30 : -0x1.fffffep30 }
      let exponent = index % 5 == 0 ? UInt32(next() % 158) : UInt32(90 + next() % 40)
      return Float(bitPattern: UInt32(next() & 1) << 31 | exponent << 23 | UInt32(next() & 0x7f_ffff))
    }
  }
}

func sums(_ communicator: MPICommunicator) throws {
  var checks = Checks(communicator: communicator)
  let batches = gradients(count: 5000)
  let form = FixedPoint(limit: 31, addends: batches.count)
  var alone = ExactSum(count: 5001)
  var assigned = ExactSum(count: 5001)
  for (index, batch) in batches.enumerated() {
    batch.withUnsafeBufferPointer { values in
      _ = alone.add(values, at: 1, in: form)
      if index % communicator.size == communicator.rank { _ = assigned.add(values, at: 1, in: form) }
    }
    alone.add(count: index, at: 0)
    if index % communicator.size == communicator.rank { assigned.add(count: index, at: 0) }
  }
  let before = communicator.traffic
  try assigned.reduce(over: communicator)
  let after = communicator.traffic
  try checks.check("one reduction is one call", after.sumCalls == before.sumCalls + 1)
  try checks.check("its payload is 8 bytes a word", after.sumBytes == before.sumBytes + 8 * 5001)
  try checks.check("integers add up", assigned.count(at: 0) == (0..<24).reduce(0, +))
  let bits = assigned.values(1..<5001, in: form).map(\.bitPattern)
  try checks.check("partitioned batches have the sums of one process", bits == alone.values(1..<5001, in: form).map(\.bitPattern))
  let doubles = (1..<5001).map { assigned.value(at: $0, in: form).bitPattern }
  try checks.check("so have sums read as Double", doubles == (1..<5001).map { alone.value(at: $0, in: form).bitPattern })
  let narrow = try MPICommunicator(chunkBytes: 64)
  var words = (0..<1001).map { Int64($0) << 40 - Int64(communicator.rank) }
  try words.withUnsafeMutableBufferPointer { try narrow.sum($0) }
  let size = Int64(communicator.size)
  let right = (0..<1001).map { Int64($0) << 40 * size - size * (size - 1) / 2 }
  try checks.check("sums in many pieces", words == right)
  var many = [Int64](repeating: -1, count: 1_000_003)
  try many.withUnsafeMutableBufferPointer { try communicator.sum($0) }
  try checks.check("sums of 8 MB", many.allSatisfy { $0 == -size })

  for communicator in [communicator, narrow] {
    let root = communicator.size - 1
    let message = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let received = try communicator.broadcast(communicator.rank == root ? message : [1], from: root)
    try checks.check("a broadcast reaches all", received == message)
    try checks.check("an empty one too", try communicator.broadcast([], from: 0).isEmpty)
    func piece(_ rank: Int) -> [UInt8] { Array(message.prefix(rank * 300)) }
    let gathered = try communicator.allGather(piece(communicator.rank))
    try checks.check("pieces of different lengths are gathered", gathered == (0..<communicator.size).map(piece))
  }

  let last = communicator.size - 1
  var failure: RankFailure?
  do {
    try withErrorAgreement(communicator) {
      try withErrorAgreement(communicator) {}
      if communicator.rank == last { throw Broken(description: "row 7: no image") }
    }
  } catch let error as RankFailure { failure = error }
  let expected = RankFailure(rank: last, size: communicator.size, message: "row 7: no image", status: 65)
  try checks.check("when one rank fails, all throw its error", failure == expected)
  let own = try withErrorAgreement(communicator) { communicator.rank }
  try checks.check("when none fails, all continue", own == communicator.rank)

  if communicator.rank == 0 {
    let digest = SHA256.hex(bits.map { String($0) }.joined(separator: ","))
    print("digest of sums: \(digest)")
  }
  if checks.failed > 0 { communicator.abort(status: 1) }
}

let last = { (communicator: MPICommunicator) in communicator.rank == communicator.size - 1 }
switch CommandLine.arguments.dropFirst().first {
case "abort":
  try withMPI { communicator in
    if last(communicator) { communicator.abort(status: 42) }
    _ = try communicator.allGather([])
  }
case "throw":
  try withMPI { communicator in
    if last(communicator) { throw Broken(description: "row 7: no image") }
    _ = try communicator.allGather([])
  }
case "together":
  do {
    try withMPI { communicator in
      try withErrorAgreement(communicator) {
        if last(communicator) { throw Broken(description: "row 7: no image") }
      }
    }
  } catch let failure as RankFailure { exit(failure.status) }
default:
  try withMPI(sums)
}
