import Foundation
import Imaging

/// What reading an image took. To be measured in a process of its own (`#expect(processExitsWith:)`): the highest mark
/// of a process's memory never falls, and tests that run beside one another share it.
struct MemoryOfReading {
    /// nil: it was read.
    let error: ImageFileError?
    /// From what was resident before to the most that has ever been: more than the reading took, never less.
    let grownByteCount: Int
    let seconds: Double
    /// Judged only where QUINTET_FULL=1 says that the machine has nothing else to do.
    var isQuick: Bool { seconds < 1 || ProcessInfo.processInfo.environment["QUINTET_FULL"] != "1" }

    init(_ path: String) {
        let before = Self.byteCount("VmRSS"), began = ProcessInfo.processInfo.systemUptime
        do {
            _ = try ImageFile.read(path: path)
            error = nil
        } catch {
            self.error = error
        }
        seconds = ProcessInfo.processInfo.systemUptime - began
        grownByteCount = Self.byteCount("VmHWM") - before
    }

    /// One of the kernel's numbers about this process.
    private static func byteCount(_ name: String) -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        guard let kibibytes = line?.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) }) else {
            preconditionFailure("/proc/self/status has no \(name)")
        }
        return kibibytes * 1024
    }
}
