/// Elements in ascending order, each once. The first one goes, and one comes back to the front, without moving the
/// others: that is what happens to a hundred thousand works that are ready.
package struct SortedList<Element: Comparable & Sendable>: RandomAccessCollection, Sendable {
    /// Those before `start` have gone.
    private var storage: [Element] = []
    private var start = 0

    package init() {}

    package var startIndex: Int { start }
    package var endIndex: Int { storage.count }
    package subscript(index: Int) -> Element { storage[index] }

    /// The place of the first one that is not less.
    private func place(of element: Element) -> Int {
        var low = start, high = storage.count
        while low < high {
            let middle = (low + high) / 2
            if storage[middle] < element { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package func contains(_ element: Element) -> Bool {
        let place = place(of: element)
        return place < storage.count && storage[place] == element
    }

    /// One that is there already stays there once.
    package mutating func insert(_ element: Element) {
        let place = place(of: element)
        if place < storage.count, storage[place] == element { return }
        if place == start, start > 0 {
            start -= 1
            storage[start] = element
        } else {
            storage.insert(element, at: place)
        }
    }

    package mutating func remove(_ element: Element) {
        let place = place(of: element)
        guard place < storage.count, storage[place] == element else { return }
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
