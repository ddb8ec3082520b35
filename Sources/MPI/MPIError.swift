// The module's one error, and the one place where MPI's codes become errors.
import CMPI
import Files

/// A failed MPI call: the function, the rank it failed on and the library's message.
package struct MPIError: ExitStatusError, Equatable, Sendable, CustomStringConvertible {
  /// The MPI function.
  package let function: String
  /// The rank that saw the failure; nil before ranks are known.
  package let rank: Int?
  /// The message of MPI_Error_string for the code.
  package let reason: String

  package var exitStatus: Int32 { ExitStatus.failed }

  /// One line: where, what, why.
  package var description: String { (rank.map { "rank \($0): " } ?? "") + "\(function) failed: \(reason)" }
}

/// Throws if an MPI call did not succeed.
func check(_ function: String, rank: Int? = nil, _ code: Int32) throws {
  guard code != 0 else { return }
  let reason = text { imagelora_mpi_error(code, $0) }
  throw MPIError(function: function, rank: rank, reason: reason.isEmpty ? "code \(code)" : reason)
}

/// What a function of MPI writes, up to the closing 0.
func text(_ write: (UnsafeMutablePointer<CChar>) -> Void) -> String {
  var text = [CChar](repeating: 0, count: Int(IMAGELORA_MPI_TEXT))
  text.withUnsafeMutableBufferPointer { if let start = $0.baseAddress { write(start) } }
  return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
