// What benchmarks print: the machine, and Markdown tables.
import Formatting
import Foundation
import Tensors

/// A Markdown table with aligned columns.
struct Table {
  private var lines: [[String]]

  init(_ header: [String]) { lines = [header] }

  mutating func add(_ cells: [String]) {
    precondition(cells.count == lines[0].count, "one cell for each column")
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

/// Prints a line on standard output and flushes it.
func say(_ line: String = "") {
  print(line)
  fflush(nil)
}

/// FLOP/s as GFLOP/s.
func gflops(_ rate: Double) -> String { fixed(rate / 1e9, 1) }

/// A time in seconds or milliseconds, whichever suits it.
func time(_ seconds: Double) -> String {
  seconds >= 1 ? fixed(seconds, 2) + " s" : fixed(1e3 * seconds, seconds >= 0.01 ? 1 : 3) + " ms"
}

func mebibytes(_ bytes: Double) -> String { fixed(bytes / 0x1p20, 0) + " MiB" }

/// Prints machine, date and math library, which all results that follow depend on; sets the number of threads.
func begin(_ options: CommonOptions) {
  setGEMMThreads(options.threads)
  let cores = ProcessInfo.processInfo.activeProcessorCount
  let measured = "\(plural(options.threads, "thread")), \(plural(options.repeats, "repeat"))"
  say("machine    \(processorName), \(plural(cores, "core")); \(measured)")
  say("date       \(Date.now.formatted(.iso8601))")
  say("GEMMs      \(mathLibrary)")
}

private var processorName: String {
  let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
  let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
  return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
}
