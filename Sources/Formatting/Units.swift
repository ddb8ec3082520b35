// Bytes, counts and seconds with readable units.

/// Bytes with a binary prefix, as 7.0 GiB, 512 MiB or 56 KiB.
package func binarySize(_ bytes: Double) -> String {
  for (scale, unit) in [(0x1p30, "GiB"), (0x1p20, "MiB"), (0x1p10, "KiB")] where bytes >= scale {
    return "\(fixed(bytes / scale, unit == "GiB" || bytes < 10 * scale ? 1 : 0)) \(unit)"
  }
  return "\(fixed(bytes, 0)) B"
}

/// A count with a decimal prefix before its unit, as 1.23 TFLOP; a count below a thousand has none.
package func prefixed(_ count: Double, _ unit: String) -> String {
  for (scale, prefix) in [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] where count >= scale {
    return "\(fixed(count / scale, 2)) \(prefix)\(unit)"
  }
  return "\(fixed(count, 0)) \(unit)"
}

/// A span of time as 59s, 12m05s or 3h20m.
package func duration(_ seconds: Double) -> String {
  let s = Int(seconds.rounded())
  if s < 60 { return "\(s)s" }
  return s < 3600 ? "\(s / 60)m\(twoDigits(s % 60))s" : "\(s / 3600)h\(twoDigits(s / 60 % 60))m"
}

/// A short span of time with a unit that keeps digits, as 12.3 ms or 4.56 s.
package func shortDuration(_ seconds: Double) -> String {
  seconds < 1 ? "\(fixed(1000 * seconds, seconds < 0.1 ? 1 : 0)) ms" : "\(significant(seconds, digits: 3)) s"
}

private func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
