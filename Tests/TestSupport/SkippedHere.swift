import Glibc
import Platform

/// For `.enabled(if:)` and wherever a test leaves something out: whether what it needs is here. What is not is said
/// in the last lines of the output, where it cannot be overlooked among a thousand tests that have passed.
///
/// - Parameter what: what is missing, and where: "the kernels avx512 on this processor".
package func isHere(_ isSo: Bool, _ what: String, fileID: String = #fileID) -> Bool {
    if !isSo {
        _ = saidAtTheEnd
        let file = fileID.split(separator: "/").last?.split(separator: ".").first ?? ""
        missing.withLock { _ = $0[what, default: []].insert(String(file)) }
    }
    return isSo
}

/// What is missing, and in which files it was.
private let missing = Guarded<[String: Set<String>]>([:])

private let saidAtTheEnd: Void = {
    atexit {
        for (what, files) in missing.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            LogStream.write("skipped here: without \(what): \(files.sorted().joined(separator: ", "))\n")
        }
    }
}()
