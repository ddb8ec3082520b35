// What benchmarks print: the machine, and tables that a page can take over.
import Foundation
import Tensors

/// A Markdown table, columns aligned.
struct Table {
  private var lines: [[String]]

  init(_ header: [String]) { lines = [header] }

  mutating func add(_ cells: [String]) {
    precondition(cells.count == lines[0].count, "a cell a column")
    lines.append(cells)
  }

  func show() {
    let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    for (index, cells) in lines.enumerated() {
      let padded = cells.enumerated().map { column, cell in
        let gap = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + gap : gap + cell
      }
      say("| " + padded.joined(separator: " | ") + " |")
      if index == 0 {
        let rules = widths.enumerated().map {
          $0 == 0 ? String(repeating: "-", count: $1) : String(repeating: "-", count: $1 - 1) + ":"
        }
        say("| " + rules.joined(separator: " | ") + " |")
      }
    }
  }
}

/// A line on standard output, at once.
func say(_ line: String = "") {
  print(line)
  fflush(nil)
}

func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }

/// Operations a second, in 10^9.
func gflops(_ rate: Double) -> String { fixed(rate / 1e9, 1) }

func percent(_ share: Double) -> String { fixed(100 * share, 1) + "%" }

/// Seconds with three digits that count.
func time(_ seconds: Double) -> String {
  seconds >= 1 ? fixed(seconds, 2) : seconds >= 1e-3 ? fixed(1e3 * seconds, 1) + " m" : fixed(1e6 * seconds, 1) + " u"
}

func mebibytes(_ bytes: Double) -> String { fixed(bytes / 0x1p20, 0) + " MiB" }

/// Machine, date and libraries of all numbers that follow; sets the threads.
func begin(_ options: CommonOptions) {
  setProductThreads(options.threads)
  let cores = ProcessInfo.processInfo.activeProcessorCount
  let threads = options.threads == 1 ? "1 thread" : "\(options.threads) threads"
  say("machine    \(processorName), \(cores) cores; \(threads), \(options.repeats) repeats")
  say("date       \(Date.now.formatted(.iso8601))")
  say("products   \(productLibrary)")
}

private var processorName: String {
  let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
  let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
  return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
}
