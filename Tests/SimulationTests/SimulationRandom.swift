/// SplitMix64: a seed tells the same story everywhere.
struct SimulationRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mixed(state)
    }

    mutating func below(_ bound: Int64) -> Int64 { Int64(next() % UInt64(bound)) }
    mutating func between(_ low: Int64, _ high: Int64) -> Int64 { low + below(high - low + 1) }
    mutating func happens(perMille: Int64) -> Bool { below(1_000) < perMille }
}

/// A good mixture of 64 bits.
func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
}

/// A process's monotonic clock: begins anywhere, runs a little too fast or too slow, never goes back.
struct SimulatedClock {
    private let offset: Int64
    private let partsPerThousand: Int64

    init(offset: Int64, partsPerThousand: Int64) {
        self.offset = offset
        self.partsPerThousand = partsPerThousand
    }

    func local(_ now: Int64) -> Int64 { offset + now * partsPerThousand / 1_000 }

    /// The first moment at which the clock shows at least this.
    func moment(ofLocal local: Int64) -> Int64 {
        let elapsed = local - offset
        return (elapsed * 1_000 + partsPerThousand - 1) / partsPerThousand
    }
}

/// What is going to happen, in order of time; at the same time in order of being added.
struct EventQueue<Event> {
    private struct Entry {
        let time: Int64
        let order: UInt64
        let event: Event

        func isBefore(_ other: Entry) -> Bool { (time, order) < (other.time, other.order) }
    }

    private var heap: [Entry] = []
    private var order: UInt64 = 0

    mutating func add(_ event: Event, at time: Int64) {
        order += 1
        heap.append(Entry(time: time, order: order, event: event))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (time: Int64, event: Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.time, first.event)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].isBefore(heap[smallest]) { smallest = child }
            }
            if smallest == parent { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
