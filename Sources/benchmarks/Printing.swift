// What benchmarks print: the machine, and tables that a page can take over.
import Formatting
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

/// Operations a second, in 10^9.
func gflops(_ rate: Double) -> String { fixed(rate / 1e9, 1) }

/// A time in the unit that suits it.
func time(_ seconds: Double) -> String {
  seconds >= 1 ? fixed(seconds, 2) + " s" : fixed(1e3 * seconds, seconds >= 0.01 ? 1 : 3) + " ms"
}

func mebibytes(_ bytes: Double) -> String { fixed(bytes / 0x1p20, 0) + " MiB" }

/// Machine, date and libraries of all numbers that follow; sets the threads.
func begin(_ options: CommonOptions) {
  setGEMMThreads(options.threads)
  let cores = ProcessInfo.processInfo.activeProcessorCount
  let measured = "\(plural(options.threads, "thread")), \(plural(options.repeats, "repeat"))"
  say("machine    \(processorName), \(plural(cores, "core")); \(measured)")
  say("date       \(Date.now.formatted(.iso8601))")
  say("products   \(mathLibrary)")
}

private var processorName: String {
  let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
  let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
  return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
}
