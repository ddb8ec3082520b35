// What libFuzzer calls: one input, one mutation; and what scripts/fuzz.sh asks for: the list of targets, their seeds.
import Foundation

/// The target that the environment names.
private let target: FuzzTarget = {
  let name = ProcessInfo.processInfo.environment["IMAGELORA_FUZZ_TARGET"] ?? ""
  guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
    print("IMAGELORA_FUZZ_TARGET \"\(name)\" is no target; fuzz list names them")
    leave(64)
  }
  return target
}()

/// Ends the process at once: at an ordinary exit what is still in use here would count as leaked.
private func leave(_ status: CInt) -> Never {
  fflush(nil)
  _exit(status)
}

/// Runs before the first input. `fuzz list` prints a line a target, its name and its dictionary; `fuzz seeds FOLDER`
/// writes the target's seeds.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
  let words = (1..<Int(count.pointee)).compactMap { arguments.pointee[$0].map { String(cString: $0) } }
  switch words.first {
  case "list":
    for target in FuzzTarget.all { print(target.name, target.dictionary) }
    leave(0)
  case "seeds" where words.count == 2:
    do {
      for (index, seed) in try target.seeds().enumerated() {
        try Data(seed).write(to: URL(filePath: "\(words[1])/\(target.name)-\(index)"))
      }
    } catch {
      print("seeds of \(target.name): \(error)")
      leave(1)
    }
    leave(0)
  default:
    _ = target
    return 0
  }
}

/// Reads one input as the program would.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    try target.read(Array(UnsafeBufferPointer(start: data, count: count)))
  } catch {
    Refusal.check(error)
  }
  return 0
}

/// Changes an input in the way of the target's format.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ limit: Int, _ seed: CUnsignedInt) -> Int {
  var random = Randomness(state: UInt64(seed))
  let changed = target.format.mutated(Array(UnsafeBufferPointer(start: data, count: count)), limit, &random)
  let kept = changed.prefix(limit)
  for (index, byte) in kept.enumerated() { data[index] = byte }
  return kept.count
}
