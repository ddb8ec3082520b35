// Small files written whole or not at all.
import Foundation

/// Writes a file beside its name and renames it.
/// - Throws: `AdapterFiles.FileError` with the system's words.
func writeWhole(_ data: Data, to path: String) throws {
  do {
    try data.write(to: URL(fileURLWithPath: path), options: .atomic)
  } catch {
    throw AdapterFiles.FileError(file: path, problem: "cannot be written: \(systemWords(error))")
  }
}

/// The operating system's words for an error of Foundation's where it has them.
func systemWords(_ error: any Error) -> String {
  let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error
  return (cause ?? error).localizedDescription
}
