import Protocol

/// Works in order of their numbers. The first one goes, and one comes back to the front, without moving the others:
/// that is what happens to a hundred thousand of them.
package struct SortedWorks: RandomAccessCollection, Hashable, Sendable, ExpressibleByArrayLiteral {
    /// Those before `start` have gone.
    private var storage: [WorkID] = []
    private var start = 0

    package init(arrayLiteral elements: WorkID...) { storage = elements.sorted() }

    package var startIndex: Int { start }
    package var endIndex: Int { storage.count }
    package subscript(index: Int) -> WorkID { storage[index] }

    package static func == (a: Self, b: Self) -> Bool { a.elementsEqual(b) }
    package func hash(into hasher: inout Hasher) { for work in self { hasher.combine(work) } }

    /// The place of the first one that is not less.
    private func place(of work: WorkID) -> Int {
        var low = start, high = storage.count
        while low < high {
            let middle = (low + high) / 2
            if storage[middle] < work { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package func contains(_ work: WorkID) -> Bool {
        let place = place(of: work)
        return place < storage.count && storage[place] == work
    }

    /// One that is there already stays there once.
    package mutating func insert(_ work: WorkID) {
        let place = place(of: work)
        if place < storage.count, storage[place] == work { return }
        if place == start, start > 0 {
            start -= 1
            storage[start] = work
        } else {
            storage.insert(work, at: place)
        }
    }

    package mutating func remove(_ work: WorkID) {
        let place = place(of: work)
        guard place < storage.count, storage[place] == work else { return }
        guard place == start else {
            storage.remove(at: place)
            return
        }
        start += 1
        // Half of it is empty: now it is worth moving them all.
        if start > 64, start > storage.count / 2 {
            storage.removeFirst(start)
            start = 0
        }
    }
}
