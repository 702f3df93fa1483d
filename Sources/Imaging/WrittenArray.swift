import CKernels

extension Array {
    /// An array of `count` elements, every one of which `write` initialises. A large one is asked for in large pages:
    /// a volume's first touch otherwise stops 512 times more often for the system to hand out and clear a page.
    @usableFromInline package init(count: Int, written write: (UnsafeMutablePointer<Element>) -> Void) {
        // Never without capacity: that would write to Swift's one empty array, which all threads share.
        self.init(unsafeUninitializedCapacity: Swift.max(1, count)) { buffer, initialized in
            quintet_pages_large(buffer.baseAddress, count * MemoryLayout<Element>.stride)
            write(buffer.baseAddress!)
            initialized = count
        }
    }
}
