// What the ranks of a node may take.
import Testing

@testable import Costs
@testable import Training

@Suite("Memory of a node")
struct NodeMemoryTests {
  private let meminfo = "MemTotal:       25165824 kB\nMemFree:         1000 kB\nMemAvailable:   16777216 kB\n"

  @Test("the least of what is available and what control groups allow")
  func least() {
    #expect(NodeMemory.available(meminfo: meminfo, limits: []) == 0x1p34)
    #expect(NodeMemory.available(meminfo: meminfo, limits: ["max\n", "8589934592\n"]) == 0x1p33)
    #expect(NodeMemory.available(meminfo: meminfo, limits: ["9223372036854771712\n"]) == 0x1p34)
    #expect(NodeMemory.available(meminfo: "", limits: ["max"]) == nil)
    #expect(NodeMemory.available.map { $0 > 0x1p20 } == true)
  }

  @Test("the limits of a control group and of all around it, in both versions")
  func groups() {
    #expect(
      NodeMemory.limitFiles(ofGroup: "0::/system.slice/job 7\n") == [
        "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/system.slice/job 7/memory.max",
        "/sys/fs/cgroup/system.slice/memory.max",
      ])
    #expect(
      NodeMemory.limitFiles(ofGroup: "4:cpu,cpuacct:/x\n3:memory:/slurm/uid_1\n") == [
        "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/slurm/uid_1/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes",
      ])
    #expect(NodeMemory.limitFiles(ofGroup: "").isEmpty && NodeMemory.limitFiles(ofGroup: "nonsense\n:\n").isEmpty)
  }

  @Test("a share of what the weights leave, divided over the ranks; none where they leave nothing")
  func share() {
    #expect(ActivationBudget.automatic(memory: 30e9, weights: 10e9, ranks: 4) == 3_000_000_000)
    #expect(ActivationBudget.automatic(memory: 10e9, weights: 15e9, ranks: 1) == 0)
  }
}
