import Glibc

/// Ends a `NetworkLoop.wait` from any thread, or from a signal handler.
public final class NetworkWaker: Sendable {
    let readDescriptor: Int32
    /// For signal handlers, which must not touch objects: writing one byte wakes.
    let writeDescriptor: Int32

    init() throws(NetworkError) {
        guard let pipe = Socket.pipe() else { throw NetworkError("cannot make a pipe", code: errno) }
        (readDescriptor, writeDescriptor) = pipe
    }

    deinit {
        close(readDescriptor)
        close(writeDescriptor)
    }

    /// The loop's current or next `wait` returns. Calls before it returns count as one.
    public func wake() {
        var byte: UInt8 = 1
        // A full pipe wakes as well.
        _ = write(writeDescriptor, &byte, 1)
    }

    /// Takes everything out; true when there was something.
    func drain() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 512), woken = false
        while read(readDescriptor, &buffer, buffer.count) > 0 { woken = true }
        return woken
    }
}
