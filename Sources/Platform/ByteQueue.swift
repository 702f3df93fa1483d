/// Bytes in the order they came; taking from the front is cheap.
struct ByteQueue {
    private var bytes: [UInt8] = []
    private var head = 0

    var count: Int { bytes.count - head }
    var isEmpty: Bool { head == bytes.count }

    mutating func append(_ new: [UInt8]) {
        makeRoom()
        if bytes.isEmpty { bytes = new } else { bytes += new }
    }

    mutating func append(_ new: UnsafeRawBufferPointer) {
        makeRoom()
        bytes.append(contentsOf: new)
    }

    /// Moves the rest to the front when at least half is used up, so that each byte moves once on average.
    private mutating func makeRoom() {
        guard head > 0, head >= bytes.count / 2 else { return }
        bytes.removeSubrange(..<head)
        head = 0
    }

    func withFront<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[head...])) }
    }

    mutating func removeFirst(_ count: Int) {
        head += count
        precondition(head <= bytes.count)
        if head == bytes.count {
            // Gives a large buffer back; keeps a small one for the next message.
            bytes.removeAll(keepingCapacity: bytes.capacity <= 1 << 16)
            head = 0
        }
    }

    mutating func removeAll() {
        bytes = []
        head = 0
    }
}
