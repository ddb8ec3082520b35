// A failed call of the operating system below the library is the machine's fault; anything else the file's.
import Files
import Glibc
import TestSupport
import Testing

@testable import HDF5

@Suite("Errors below the library")
struct MachineFaultTests {
  @Test("the number that the library quotes decides the exit status")
  func statuses() {
    let attempt = Attempt(attempt: "read dataset", file: "a.h5", object: "/x")
    let words = "file read failed: time = Thu, filename = 'a.h5', errno = 5, error message = 'Input/output error'"
    #expect(attempt.error(words).code == EIO && ExitStatus.of(attempt.error(words)) == ExitStatus.failed)
    let missing = "unable to open file: name = 'a.h5', errno = 2, error message = 'No such file or directory'"
    #expect(ExitStatus.of(attempt.error(missing)) == ExitStatus.badInput)
    #expect(ExitStatus.of(attempt.error("its shape is [1]")) == ExitStatus.badInput)
    #expect(ExitStatus.of(attempt.error("full", in: "write", code: ENOSPC)) == ExitStatus.failed)
  }
}
