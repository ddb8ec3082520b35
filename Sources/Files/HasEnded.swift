// Whether a process of this host, known from what it left in a file, runs no longer.
import Foundation
import Glibc

/// Whether the process has ended. One that nobody has waited for yet (a zombie) has: it does nothing any more.
/// - Parameter process: its number on this host; one of another host, or from before a restart, means nothing.
package func hasEnded(_ process: Int32) -> Bool {
  // EPERM is said of another user's process, which lives.
  if kill(process, 0) != 0 { return errno == ESRCH }
  guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
  // The name, in parentheses, may have any characters; the state follows it (proc(5)).
  let state = status[(status.lastIndex(of: ")") ?? status.startIndex)...].dropFirst(2).first
  return state == "Z" || state == "X"
}
