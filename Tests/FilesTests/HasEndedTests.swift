// Processes that live, are gone, or have ended without anyone having waited for them.
import Foundation
import Glibc
import Testing

@testable import Files

@Suite("Ended processes")
struct HasEndedTests {
  @Test("a process that lives has not ended; one that is not there has")
  func plain() {
    #expect(!hasEnded(getpid()) && !hasEnded(1))
    #expect(hasEnded(999_999_999))
  }

  @Test("a process that nobody has waited for has ended")
  func zombie() throws {
    var process: pid_t = 0
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
    defer { free(arguments[0]) }
    try #require(posix_spawnp(&process, "true", nil, nil, &arguments, environ) == 0)
    var information = siginfo_t()
    // Waits for its end and leaves it as it is.
    try #require(waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) == 0)
    #expect(kill(process, 0) == 0 && hasEnded(process))
    #expect(waitpid(process, nil, 0) == process)
    #expect(hasEnded(process))
  }
}
