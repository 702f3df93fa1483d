extension Array where Element: Comparable {
    /// The element that would stand at `place` were the array sorted. Hoare's selection: a median without a sort's
    /// time. The elements change their order; none may be NaN.
    package mutating func selectSmallest(_ place: Int) -> Element {
        precondition(indices.contains(place), "no place \(place) among \(count)")
        return withUnsafeMutableBufferPointer { values in
            var (low, high) = (0, values.count - 1)
            while low < high {
                let pivot = values[(low + high) / 2]
                var (left, right) = (low, high)
                while left <= right {
                    while values[left] < pivot { left += 1 }
                    while pivot < values[right] { right -= 1 }
                    guard left <= right else { break }
                    values.swapAt(left, right)
                    left += 1
                    right -= 1
                }
                if place <= right { high = right } else if place >= left { low = left } else { break }
            }
            return values[place]
        }
    }
}
